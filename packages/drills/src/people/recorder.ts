import { type StreamEvent, streamId, verifyEvent } from '@klatsch/contracts'
import type { Watch } from '../engine/watch.ts'
import type { Read, Send, SendOutcome, Skip } from '../judge/history.ts'
import { type Connection, connection } from './connection.ts'

/** Somebody who takes part in a drill: writes, reads, and remembers both. */
export interface Person {
  /** Unique in the drill: the observer and device of the history. */
  readonly name: string
  readonly actor: string
  readonly sends: readonly Send[]
  readonly reads: readonly Read[]
  /** What its connections passed over in silence. */
  readonly skips: readonly Skip[]
  /** Sends without an outcome. */
  readonly waiting: number
  /** The last seq read of a room (`room:<id>`), 0 when none. */
  head(room: string): number
  /** Writes a message; never throws. */
  say(room: string, text: string): void
  /** In a few words, for a report of what keeps a drill from ending. */
  readonly state: string
  close(): Promise<void>
}

/** Notes what a person sends and reads. */
export interface Recorder {
  readonly sends: readonly Send[]
  readonly reads: readonly Read[]
  readonly skips: readonly Skip[]
  readonly waiting: number
  head(room: string): number
  sent(command: string, room: string, text: string): void
  /** The system has it, and will say what became of it: it is waited for. */
  taken(command: string): void
  /** The first outcome counts. */
  outcome(command: string, outcome: SendOutcome): void
  read(event: StreamEvent): void
  /** An event that was worked out already. */
  note(read: Read): void
  /** Begins to listen to a connection: what it tells is to have no holes of its own. */
  listen(): Connection
}

export function createRecorder(name: string, actor: string, watch?: Watch): Recorder {
  const sends: Send[] = []
  const open = new Map<string, number>()
  const reads: Read[] = []
  const skips: Skip[] = []
  const heads = new Map<string, number>()
  let connections = 0

  function note(read: Read): void {
    heads.set(read.room, Math.max(heads.get(read.room) ?? 0, read.seq))
    reads.push(read)
    watch?.seen(read.command)
  }

  return {
    sends,
    reads,
    skips,
    get waiting() {
      return open.size
    },
    head: (room) => heads.get(room) ?? 0,
    sent(command, room, text) {
      open.set(command, sends.length)
      watch?.said(command)
      sends.push({
        actor,
        device: name,
        command,
        room,
        text,
        order: sends.length,
        outcome: { kind: 'unknown' },
      })
    },
    taken(command) {
      const index = open.get(command)
      if (index !== undefined) sends[index] = { ...sends[index]!, outcome: { kind: 'taken' } }
    },
    outcome(command, outcome) {
      const index = open.get(command)
      if (index === undefined) return
      open.delete(command)
      sends[index] = { ...sends[index]!, outcome }
      if (outcome.kind !== 'unknown') watch?.answered(command)
    },
    read: (event) => note(readOf(name, event)),
    note,
    listen() {
      connections += 1
      const which = `on connection ${connections}`
      return connection((skip, how) => {
        const when = watch ? `, ${(watch.elapsedMs / 1_000).toFixed(1)} s after the load began` : ''
        skips.push({ observer: name, ...skip, how: `${how} ${which}${when}` })
      })
    },
  }
}

/** An event as an entry of a history, its hashes computed anew. */
export function readOf(observer: string, event: StreamEvent): Read {
  const { subject: room, seq, id, actor, causationid: command, prevchain, chain } = event
  const base = { observer, room, seq, id, actor, command, prevchain, chain, genuine: verifyEvent(event) }
  const text =
    event.type === 'chat.message.sent.v1' ? (event.data as { text?: unknown } | undefined)?.text : undefined
  return typeof text === 'string' ? { ...base, text } : base
}

/** The id of a room's stream, as HTTP names it. */
export const roomId = (room: string): string => streamId(room)

/** How a send ended that was refused: what is held is put aside, and may come into the room yet. */
export const refusal = (code: string): SendOutcome =>
  code === 'command.held' ? { kind: 'held' } : { kind: 'rejected', code }
