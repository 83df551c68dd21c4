import type { RetryPolicy, RetryTier } from '@klatsch/contracts'
import type { AttemptLog } from './policies/attempt-log.ts'
import type { PolicySwitch } from './policies/policy.ts'

/** Where the bus says what happens: a pino logger fits. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** A record to append. Header values are text; `key` decides the partition (by `partitionOf`). */
export interface OutgoingRecord {
  readonly topic: string
  readonly key: string
  readonly value: string | Buffer
  readonly headers: Readonly<Record<string, string>>
}

/** A record as read. `timestamp`: milliseconds since the epoch, as the broker or the producer set it. */
export interface IncomingRecord {
  readonly topic: string
  readonly partition: number
  /** A 64-bit number as text; compare with `BigInt`. */
  readonly offset: string
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
  readonly timestamp: number
}

/**
 * Appends records. What one publisher is given is appended in the order given, each record once or,
 * after a fault, more often, but never in another order and never lost once the promise resolved. A repetition
 * comes right behind the first: a, b, a, b. Records once sent are sent on until their fate is known, however long
 * that takes and although `publish` has rejected by then; what comes later waits behind them.
 */
export interface Publisher {
  /**
   * Resolves when every in-sync replica has all of the records. Rejects with `server.overloaded` at once when the
   * queue is full, and with `server.unavailable` when the broker did not take them in time
   * (they may still have been appended).
   */
  publish(records: readonly OutgoingRecord[]): Promise<void>
  /** Records accepted and not yet appended. */
  readonly queued: number
  close(): Promise<void>
}

export interface PublisherOptions {
  /** Records waiting at most; a publish above it is refused with `server.overloaded`. */
  readonly maxQueued?: number
  /** How long a record may wait and be tried again, in milliseconds. */
  readonly timeoutMs?: number
}

export interface BatchContext {
  readonly topic: string
  readonly partition: number
  /** Aborted when the partition was taken away or the consumer is closing. Finish or let go. */
  readonly signal: AbortSignal
  /** 1 for the first try of this batch. */
  readonly attempt: number
}

/**
 * Works on consecutive records of one partition. Never called twice at a time for one partition of one consumer.
 * Throw `PassingFault` for what will heal by itself. A publisher's `server.overloaded` and `server.unavailable`, lost connections
 * and such count as passing too (`faultOf`). Any other error is taken for a fault of a record: the batch is tried one
 * by one, to find it. What happens then is the consumer's policy.
 */
export type BatchHandler = (records: readonly IncomingRecord[], context: BatchContext) => Promise<void>

/** A record that was given up on. */
export interface DeadLetter {
  readonly record: IncomingRecord
  readonly error: unknown
  readonly attempts: number
  readonly firstFailedAt: Date
}

/** Where policy `park` puts records, in order by key. */
export interface ParkingSpace {
  /** Parks the record and blocks its key; may throw `PassingFault`, and is called again then. */
  park(letter: DeadLetter): Promise<void>
}

export interface ConsumerOptions {
  readonly group: string
  readonly topics: readonly string[]
  readonly handler: BatchHandler
  /**
   * Where a partition without a position of its own begins.
   * `committed`: at the group's committed offset, else the beginning; an offset out of range stops the consumer loudly.
   * `end`: at the end as it was when the consumer was made; nothing is committed. For readers with a fresh group.
   */
  readonly start: 'committed' | 'end'
  /**
   * What is done about records that fail; without it, `block`: passing faults are waited out, and a record that fails
   * alone goes to the dead letters at once.
   */
  readonly policy?: RetryPolicy | PolicySwitch
  /** The delay topics of this group, consumed beside `topics`. Policy `tiers` needs them, and `deadLetters`. */
  readonly tiers?: readonly RetryTier[]
  /** Policy `park` needs it. */
  readonly parking?: ParkingSpace
  /** Where is told what goes wrong with records. */
  readonly attempts?: AttemptLog
  /** Records of one handler call at most. */
  readonly maxBatch?: number
  /**
   * Called for a record that is given up on, before it goes to `<topic>.dlq`; may throw `PassingFault` to be
   * called again. Without a `deadLetters` publisher such a record stops the consumer.
   */
  readonly onDeadLetter?: (letter: DeadLetter) => Promise<void>
  readonly deadLetters?: Publisher
  /** Called, before its first record, for each partition of `topics` assigned; may throw `PassingFault` to be called again. */
  readonly onAssigned?: (topic: string, partition: number, signal: AbortSignal) => Promise<void>
  /** Called between batches of a partition of `topics` at least every so many milliseconds, never beside its handler. */
  readonly idle?: {
    readonly everyMs: number
    readonly run: (topic: string, partition: number, signal: AbortSignal) => Promise<void>
  }
}

export type ConsumerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly assigned: number }
  /** Passing faults: it goes on trying. Since when, and the last reason. */
  | { readonly kind: 'struggling'; readonly since: Date; readonly reason: string }
  /** It will not go on by itself: the process should end and be started again. */
  | { readonly kind: 'stopped'; readonly reason: string }

export interface Consumer {
  /** Resolves once partitions are assigned and their positions fixed. Rejects when it stops instead. */
  readonly ready: Promise<void>
  readonly state: ConsumerState
  /** Records between the position and the end of each assigned partition, added up; undefined before it is known. */
  readonly lag: number | undefined
  /** Stops fetching, lets running handlers finish (30 s at most), commits, leaves the group. */
  close(): Promise<void>
}

export interface EventBus {
  publisher(options?: PublisherOptions): Promise<Publisher>
  consume(options: ConsumerOptions): Promise<Consumer>
  close(): Promise<void>
}
