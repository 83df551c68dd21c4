import type { PartitionWorker } from './worker.ts'

/** Above either, a partition is paused; below half of both it goes on. One fetch may come on top. */
const QUEUE = { records: 2_000, bytes: 8 * 1_048_576 }

/** A partition that is ours. */
export interface Owned {
  readonly topic: string
  readonly partition: number
  readonly worker: PartitionWorker
  /** Offset to fetch next. */
  fetch: bigint
  /** Everything before is dealt with. */
  done: bigint
  /** End of the partition as last heard of. */
  end: bigint
  paused: boolean
  /**
   * Since the last join it is known what the group has committed. Before that, others may have come further, and a
   * commit of ours would set them back.
   */
  placed: boolean
  /** When `fetch` last moved or fetching was resumed, in scheduler time. */
  movedAt: number
}

export const keyOf = (topic: string, partition: number): string => `${topic}[${partition}]`

/** The part of a consumer's state that tells of a handler that does not return. */
export const handlerOf = (key: string): string => `${key} handler`

export const overfull = ({ worker }: Owned): boolean =>
  worker.queued.records >= QUEUE.records || worker.queued.bytes >= QUEUE.bytes

export const halfEmpty = ({ worker }: Owned): boolean =>
  worker.queued.records < QUEUE.records / 2 && worker.queued.bytes < QUEUE.bytes / 2
