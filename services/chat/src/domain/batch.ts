import {
  type Bugs,
  type Command,
  type CommandData,
  type CommandEnvelope,
  createdRoomSubject,
  type ErrorCode,
  type Reply,
  streamId,
  streamKind,
} from '@klatsch/contracts'
import type { BatchRequest, BatchWrites, LoadedBatch } from './command-store.ts'
import type { Decision, NewEvent } from './decision.ts'
import { emptyHead, type SealedEvent, type StreamHead, sealEvent } from './events.ts'
import { type Outcome, type OutcomeKey, outcomeKey, replyOf, storable } from './outcomes.ts'
import { project } from './projections.ts'
import { decideRoom, evolveRoom, noRoom, type RoomCommand, type RoomState } from './room.ts'
import { decideUser, evolveUser, noUser, type UserCommand, type UserState } from './user-stream.ts'

/** Who waits for the outcome, and of which trace it is: known only while the command's record is at hand. */
export interface Origin {
  /** The gateway instance that asked, and its name for the request. */
  readonly replyTo?: string | undefined
  readonly requestId?: string | undefined
  readonly traceparent?: string | undefined
}

/** A command as it came: its envelope is right, its data may not be. */
export interface Incoming {
  readonly envelope: CommandEnvelope
  readonly parsed:
    | { readonly ok: true; readonly data: CommandData }
    | { readonly ok: false; readonly code: ErrorCode; readonly detail: string }
  /** `commandHash` of it. */
  readonly hash: string
  /** Sent again out of the dead letters: it ends the outcome "held". */
  readonly redriven: boolean
  readonly origin: Origin
}

/** An event to publish. The first one of a command answers it: all of them are committed. */
export interface Emitted {
  readonly event: SealedEvent
  readonly origin?: Origin
}
/** An outcome that no event tells, for the gateway that asked. */
export interface Answer {
  readonly reply: Reply
  readonly origin: Origin
}
export interface BatchDecision extends BatchWrites {
  readonly emitted: readonly Emitted[]
  readonly answers: readonly Answer[]
  /** Streams of which events before this batch are not published yet, with their heads of then. */
  readonly behind: ReadonlyMap<string, number>
}

export interface DecideContext {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** 16 random bytes, base64url. */
  readonly newSalt: () => string
  readonly bugs: Bugs
}

/** Only what makes a room, by an account, in its rightful place, or a follow-up may begin a stream. */
function mayBegin({ type, subject, actor, id, guest }: CommandEnvelope): boolean {
  if (type === 'chat.room.create.v1') return !guest && subject === createdRoomSubject(actor, id)
  return streamKind(subject) === 'user' && actor.startsWith('system:')
}

export function requestOf(commands: readonly Incoming[]): BatchRequest {
  const streams = new Set<string>()
  const create = new Set<string>()
  const outcomes = new Map<string, OutcomeKey>()
  const members = new Map<string, { room: string; user: string }>()
  const userRooms = new Map<string, { user: string; room: string }>()
  for (const { envelope, parsed } of commands) {
    const { actor, id, after, subject } = envelope
    outcomes.set(outcomeKey(actor, id), { actor, id })
    if (after !== undefined) outcomes.set(outcomeKey(actor, after), { actor, id: after })
    if (!parsed.ok) continue
    streams.add(subject)
    if (mayBegin(envelope)) create.add(subject)
    if ('room' in parsed.data) {
      const { room } = parsed.data
      userRooms.set(`${subject} ${room}`, { user: streamId(subject), room })
    } else if (actor.startsWith('user:')) {
      members.set(`${subject} ${actor}`, { room: subject, user: streamId(actor) })
    }
  }
  return {
    streams: [...streams].sort(),
    create: [...create].sort(),
    outcomes: [...outcomes.values()],
    members: [...members.values()],
    userRooms: [...userRooms.values()],
  }
}

/** Decides commands one after another, each on what the ones before it left. Pure. */
export function decideBatch(
  commands: readonly Incoming[],
  loaded: LoadedBatch,
  context: DecideContext,
): BatchDecision {
  const streams = new Streams(loaded)
  const known = new Map(loaded.outcomes)
  const outcomes = new Map<string, Outcome>()
  const ended = new Map<string, Outcome>()
  const emitted: Emitted[] = []
  const answers: Answer[] = []

  for (const incoming of commands) {
    const { envelope, hash, origin } = incoming
    const { actor, id, after, subject } = envelope
    const answer = (outcome: Outcome) => {
      if (origin.replyTo !== undefined) answers.push({ reply: replyOf(outcome), origin })
    }
    const key = outcomeKey(actor, id)
    const before = known.get(key)
    const ends = before !== undefined && mayEnd(before, incoming)
    if (before && !ends && !context.bugs.has('dedupe-off')) {
      const same = before.hash === undefined || before.hash === hash
      answer(same ? before : { actor, id, subject, state: 'rejected', code: 'command.id_reused' })
      continue
    }
    if (after !== undefined && !known.has(outcomeKey(actor, after))) {
      answer({ actor, id, subject, state: 'rejected', code: 'command.after_unknown' })
      continue
    }
    const decision = streams.decide(incoming)
    let outcome: Outcome
    if (decision.kind === 'rejected') {
      const detail = decision.detail === undefined ? undefined : storable(decision.detail)
      outcome = { actor, id, hash, subject, state: 'rejected', code: decision.code, detail }
      answer(outcome)
    } else {
      const seq = streams.head(subject).seq + Math.min(1, decision.events.length)
      decision.events.forEach((happened, index) => {
        const event = streams.append(envelope, index, happened, context)
        emitted.push({ event, origin: index === 0 ? origin : { traceparent: origin.traceparent } })
      })
      outcome = { actor, id, hash, subject, state: 'accepted', seq }
      if (decision.events.length === 0) answer(outcome)
    }
    known.set(key, outcome)
    if (ends) ended.set(key, outcome)
    else if (!before) outcomes.set(key, outcome)
  }

  const events = emitted.map(({ event }) => event)
  const behind = [...loaded.heads].flatMap(([stream, { seq, publishedSeq }]) =>
    publishedSeq < seq ? [[stream, seq] as const] : [],
  )
  return {
    events,
    outcomes: [...outcomes.values()],
    ended: [...ended.values()],
    heads: streams.changed,
    projections: project(events),
    rooms: streams.rooms,
    emitted,
    answers,
    behind: new Map(behind),
  }
}

/** Held is a state and not the end: a redrive of the very same command ends it. */
const mayEnd = (before: Outcome, { redriven, hash }: Incoming): boolean =>
  redriven && before.state === 'held' && (before.hash === undefined || before.hash === hash)

/** The streams of a batch as its events move them on. */
class Streams {
  readonly changed = new Map<string, StreamHead>()
  readonly rooms: Map<string, RoomState>
  readonly #users: Map<string, UserState>
  readonly #loaded: ReadonlyMap<string, StreamHead>

  constructor(loaded: LoadedBatch) {
    this.#loaded = loaded.heads
    this.rooms = new Map(loaded.rooms)
    this.#users = new Map(loaded.users)
  }

  head(stream: string): StreamHead {
    return this.changed.get(stream) ?? this.#loaded.get(stream) ?? emptyHead
  }

  decide({ envelope, parsed }: Incoming): Decision {
    if (!parsed.ok) return { kind: 'rejected', code: parsed.code, detail: parsed.detail }
    const { subject } = envelope
    // The data was checked by the type, and the type to be at home on this kind of stream.
    const command = { ...envelope, data: parsed.data } as Command
    return streamKind(subject) === 'user'
      ? decideUser(this.#users.get(subject) ?? noUser, command as UserCommand)
      : decideRoom(this.rooms.get(subject) ?? noRoom, command as RoomCommand)
  }

  append(cause: CommandEnvelope, index: number, happened: NewEvent, context: DecideContext): SealedEvent {
    const stream = cause.subject
    const sealed = sealEvent(this.head(stream), cause, index, happened, context.now, context.newSalt())
    this.changed.set(stream, sealed.head)
    if (streamKind(stream) === 'room') {
      this.rooms.set(stream, evolveRoom(this.rooms.get(stream) ?? noRoom, happened))
    } else {
      this.#users.set(stream, evolveUser(this.#users.get(stream) ?? noUser, happened))
    }
    return sealed.event
  }
}
