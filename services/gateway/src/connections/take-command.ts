import { type ClientFrame, errorCodes, KlatschError, limits, type ServerFrame } from '@klatsch/contracts'
import type { AuthenticatedUser } from '@klatsch/service-kit'
import type { Outcome } from '../outbound/requests.ts'
import type { ConnectionContext } from './context.ts'
import { errorFrame } from './error-frame.ts'

/** The socket that a command came by. */
interface Sender {
  /** Commands of it without an outcome. */
  unanswered: number
  send(frame: ServerFrame): void
}

/** Hands a command on, within the bounds of its user and its socket, and answers it when its outcome is known. */
export function takeCommand(
  context: ConnectionContext,
  sender: Sender,
  user: AuthenticatedUser,
  frame: Extract<ClientFrame, { type: 'command' }>,
): void {
  const { id, command: type, subject, after, data } = frame
  const wait = context.limiter.take(user.id)
  if (wait > 0) {
    sender.send(errorFrame('limit.rate', { id, retryAfterMs: wait }))
    return
  }
  if (sender.unanswered >= limits.pendingCommands) {
    const detail = 'too many commands without an answer'
    sender.send(errorFrame('limit.rate', { id, detail, retryAfterMs: 1_000 }))
    return
  }
  sender.unanswered += 1
  const early = context.bugs?.has('ack-before-commit') ?? false
  try {
    const to = context.commands.submit({ id, type, subject, after, data, user }, (outcome) => {
      sender.unanswered -= 1
      if (!early) answer(context, sender, id, outcome)
    })
    if (early) sender.send({ type: 'ack', id, subject: to, seq: context.hub.head(to).seq + 1 })
  } catch (error) {
    sender.unanswered -= 1
    if (!(error instanceof KlatschError)) throw error
    sender.send(errorFrame(error.code, { id, detail: error.message }))
  }
}

function answer({ hub }: ConnectionContext, sender: Sender, id: string, outcome: Outcome): void {
  if (outcome.state === 'accepted') {
    hub.heard(outcome.subject, outcome.seq)
    sender.send({ type: 'ack', id, subject: outcome.subject, seq: outcome.seq })
  } else {
    const retry = errorCodes[outcome.code].retryable ? { retryAfterMs: 500 } : {}
    sender.send(errorFrame(outcome.code, { id, detail: outcome.detail, ...retry }))
  }
}
