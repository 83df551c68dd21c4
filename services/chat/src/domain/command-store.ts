import type { SealedEvent, StreamHead } from './events.ts'
import type { Outcome, OutcomeKey } from './outcomes.ts'
import type { Projections } from './projections.ts'
import type { RoomState } from './room.ts'
import type { UserState } from './user-stream.ts'

/** What a batch of commands needs to know to be decided. */
export interface BatchRequest {
  /** Streams to lock, sorted and each once. */
  readonly streams: readonly string[]
  /** Those of them that a command of the batch may begin, sorted. */
  readonly create: readonly string[]
  readonly outcomes: readonly OutcomeKey[]
  /** Whether these users are members of these rooms. */
  readonly members: readonly { readonly room: string; readonly user: string }[]
  /** What these users' own streams say of these rooms. */
  readonly userRooms: readonly { readonly user: string; readonly room: string }[]
}

/** As it was under the locks. Streams, rooms, users and outcomes that do not exist are missing. */
export interface LoadedBatch {
  readonly heads: ReadonlyMap<string, StreamHead>
  readonly rooms: ReadonlyMap<string, RoomState>
  readonly users: ReadonlyMap<string, UserState>
  /** By `outcomeKey`. */
  readonly outcomes: ReadonlyMap<string, Outcome>
}

export interface BatchWrites {
  readonly events: readonly SealedEvent[]
  readonly outcomes: readonly Outcome[]
  /** Outcomes that take the place of "held". */
  readonly ended: readonly Outcome[]
  /** The streams that went on, by name. */
  readonly heads: ReadonlyMap<string, StreamHead>
  readonly projections: Projections
  /** State of the rooms named in `projections.rooms`. */
  readonly rooms: ReadonlyMap<string, RoomState>
}

/** `from` to `upTo`, both included, of a stream are on `chat.events`. */
export interface PublishedRange {
  readonly stream: string
  readonly from: number
  readonly upTo: number
}

/** Of all streams of a partition of `chat.commands`, or of one stream up to a seq. */
export type Unpublished = { readonly partition: number } | { readonly stream: string; readonly upTo: number }

/**
 * The record. Throws `PassingFault` for whatever heals by itself (database away, lock or statement timeout, deadlock,
 * a race with another writer); any other error is the fault of what was asked.
 */
export interface CommandStore {
  /**
   * One transaction: locks the streams, reads what is asked for, calls `decide` once with it, and writes all of its
   * answer or, when anything throws, nothing.
   */
  transact<W extends BatchWrites>(request: BatchRequest, decide: (loaded: LoadedBatch) => W): Promise<W>
  /** Moves the published positions on, where the range joins on to what was published before; elsewhere not at all. */
  markPublished(ranges: readonly PublishedRange[]): Promise<void>
  /** Events committed and not yet published, in order within a stream, `limit` at most. */
  unpublished(of: Unpublished, limit: number): Promise<readonly SealedEvent[]>
  /** Stores an outcome unless there is one already; answers the one that stands. */
  claim(outcome: Outcome): Promise<Outcome>
}
