import type { IncomingRecord } from '../types.ts'

/** First offset kept and the offset the next record will get. */
export interface OffsetRange {
  readonly begin: bigint
  readonly end: bigint
}

export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** What a log can be asked, group membership or not. Each may reject, and is tried again then. */
export interface LogQueries {
  ranges(topic: string): Promise<ReadonlyMap<number, OffsetRange>>
  /** Committed offsets of a group by partition; partitions without one are missing. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, bigint>>
}

/** Membership in a consumer group, and the fetching that comes with it. */
export interface GroupConnection {
  /** Where fetching goes on; nothing is fetched of an assigned partition before. */
  fetchFrom(position: Position): void
  pause(topic: string, partition: number): void
  resume(topic: string, partition: number): void
  commit(positions: readonly Position[]): Promise<void>
  /** When the fetch loop last turned, in scheduler time. */
  readonly lastTurn: number
  /** Starts over with a fresh connection. */
  restart(reason: string): void
  /** Leaves the group. */
  close(): Promise<void>
}

export interface Fetched {
  readonly topic: string
  readonly partition: number
  /** In order, from the position on; those before it are ignored. */
  readonly records: readonly IncomingRecord[]
  /** Where to fetch next. */
  readonly next: bigint
  /** End of the partition. */
  readonly end: bigint
}

/** What a group connection tells the consumer that made it. */
export interface GroupEvents {
  /** Awaited before joining again: what runs may end, positions get committed. */
  beforeJoin(): Promise<void>
  /** The new assignment, by topic. Nothing of it is fetched before `fetchFrom` and `resume`. */
  joined(assignment: Readonly<Record<string, readonly number[]>>): void
  /** Not a member at the moment. */
  lost(): void
  /** `refused`: not wanted, `next` does not count. `full`: taken, but pause the partition. */
  fetched(fetched: Fetched): 'taken' | 'full' | 'refused'
  heartbeat(): void
  /** A passing fault of the connection, or its end. */
  fault(error: unknown | undefined): void
  /** It cannot go on. */
  fatal(reason: string): void
}
