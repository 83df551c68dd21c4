import type { IncomingRecord } from '../types.ts'

/** One partition of a topic that a group reads. */
export interface LogPartition {
  readonly topic: string
  readonly partition: number
}

/** Why a key is blocked: what its first parked record failed with, last. */
export interface Blocked {
  readonly code: string
  readonly error: string
  readonly attempts: number
  readonly since: Date
}

export interface BlockedKey extends Blocked {
  readonly key: string
  /** Records parked under it. */
  readonly records: number
  /** The record to be handled next. */
  readonly next: { readonly topic: string; readonly partition: number; readonly offset: string }
}

export interface ParkedRecord {
  /** Grows within a key. */
  readonly id: string
  readonly record: IncomingRecord
}

/**
 * What a consumer group that parks keeps beside its own state, in one transactional store: its positions, blocked keys, and
 * parked records. `Tx` is a transaction of that store, in which the consumer's own state is written too. Any call may
 * throw `PassingFault`.
 */
export interface ParkedStore<Tx> {
  /** All of `work` takes effect when this resolves, and nothing when it did not begin to commit. */
  transact<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** The offset before which the group has dealt with all; locks it, so that of two owners of a partition one waits. */
  position(tx: Tx, of: LogPartition): Promise<bigint>
  advance(tx: Tx, of: LogPartition, next: bigint): Promise<void>
  /** Those of `keys` that are blocked; locks them, so that none is freed before the transaction ends. */
  blockedOf(tx: Tx, keys: readonly string[]): Promise<ReadonlySet<string>>
  /** Blocks a key, or says anew why it is. */
  block(tx: Tx, key: string, why: Blocked): Promise<void>
  /** Parks records, each behind what its key has already. */
  append(tx: Tx, records: readonly IncomingRecord[]): Promise<void>
  /** The first records of a blocked key in order; locks the key. */
  first(tx: Tx, key: string, max: number): Promise<readonly ParkedRecord[]>
  /** Removes parked records of a key, and frees it when they were its last: true. */
  remove(tx: Tx, key: string, records: readonly ParkedRecord[]): Promise<boolean>
  /** Parked records of the group. */
  count(tx: Tx): Promise<number>
  /** The blocked keys, those blocked longest first. */
  keys(): Promise<readonly BlockedKey[]>
}
