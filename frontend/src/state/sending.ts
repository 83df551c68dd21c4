import type { PendingCommand } from '@klatsch/client'
import { type ErrorCode, type StreamEvent, streamId } from '@klatsch/contracts'

/** A message of this person's that is not in its room yet, as far as this page knows. */
export interface Sending {
  /** The command's id. */
  readonly id: string
  readonly room: string
  readonly text: string
  /** When it was written, milliseconds since the epoch. */
  readonly at: number
  /**
   * `waiting`: in the outbox, not on a socket. `sent`: on its way. `settling`: accepted, its event is not here yet.
   * `failed`: refused for good.
   */
  readonly state: 'waiting' | 'sent' | 'settling' | 'failed'
  readonly code?: ErrorCode
  readonly detail?: string
}

function sendingOf(command: PendingCommand): Sending | undefined {
  if (command.type !== 'chat.message.send.v1' || command.subject === undefined) return undefined
  const { data } = command
  const text = typeof data === 'object' && data !== null && 'text' in data ? String(data.text) : ''
  const state = command.state === 'sent' ? 'sent' : 'waiting'
  return { id: command.id, room: command.subject, text, at: command.at, state }
}

/**
 * What is on its way after the outbox changed. A message that left the outbox stays until its event is here:
 * an ack may come first, and the message must not blink.
 */
export function withOutbox(
  sending: readonly Sending[],
  outbox: readonly PendingCommand[],
  arrived: (message: Sending) => boolean,
): readonly Sending[] {
  const waiting = new Map<string, Sending>()
  for (const command of outbox) {
    const message = sendingOf(command)
    if (message) waiting.set(message.id, message)
  }
  const kept: Sending[] = []
  for (const message of sending) {
    const now = waiting.get(message.id)
    waiting.delete(message.id)
    if (now) kept.push(now.state === message.state ? message : { ...message, state: now.state })
    else if (message.state === 'failed') kept.push(message)
    else if (!arrived(message))
      kept.push(message.state === 'settling' ? message : { ...message, state: 'settling' })
  }
  for (const message of waiting.values()) if (!arrived(message)) kept.push(message)
  const same = kept.length === sending.length && kept.every((message, index) => message === sending[index])
  return same ? sending : kept
}

export function withRejected(
  sending: readonly Sending[],
  command: PendingCommand,
  code: ErrorCode,
  detail: string,
): readonly Sending[] {
  const message = sendingOf(command)
  if (!message) return sending
  const failed: Sending = { ...message, state: 'failed', code, detail }
  return sending.some((other) => other.id === message.id)
    ? sending.map((other) => (other.id === message.id ? failed : other))
    : [...sending, failed]
}

/** An event of this person's takes the place of the message it came from. */
export function withArrival(sending: readonly Sending[], event: StreamEvent, me: string): readonly Sending[] {
  if (streamId(event.actor) !== me) return sending
  const index = sending.findIndex((message) => message.id === event.causationid)
  return index < 0 ? sending : sending.toSpliced(index, 1)
}
