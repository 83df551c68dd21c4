import type { Scheduler } from '@klatsch/streams'
import type { BatchHandler, Consumer, IncomingRecord } from '../types.ts'

/** Chances, from 0 (never) to 1 (always), drawn anew each time. */
export interface PublishFaults {
  /** The request is lost on the way there; the publisher tries again. */
  readonly requestLost?: number
  /** The records are appended, the answer is lost; the broker drops the repetition. */
  readonly answerLost?: number
  /** The records are appended, and the producer must begin anew: they are appended again, behind one another. */
  readonly appendedTwice?: number
  /** A request takes up to so many milliseconds more, and at least so many. */
  readonly extraMs?: number
  readonly leastMs?: number
}

export interface DeliveryFaults {
  /** Of these topics alone. */
  readonly topics?: readonly string[]
  /** After a batch, the last few records that were handled come once more, as after a lost commit. */
  readonly repeated?: number
  /** A batch is passed by without being handled, as by a reset to the end. */
  readonly skipped?: number
}

/** What can go wrong in the memory bus, set and changed while it runs. */
export interface BusFaults {
  /** For all, or for one process alone, which keeps its own until it is given others. */
  publish(faults: PublishFaults, by?: Scheduler): void
  /** For the consumers of one group, made already or later. */
  delivery(group: string, faults: DeliveryFaults): void
  /** The coordinator drops the consumer, which learns of it at its next heartbeat: until then two may own a partition. */
  expel(consumer: Consumer): void
  /** Nothing the consumer says reaches the coordinator until the answer is called. */
  mute(consumer: Consumer): () => void
  /** All members of the group join again. */
  rebalance(group: string): void
  /** Moves the committed offset of a partition: for a consumer that starts after it. */
  commit(group: string, topic: string, partition: number, to: bigint | 'begin' | 'end'): void
  /** As retention does: records before an offset are gone. */
  truncate(topic: string, partition: number, begin: bigint): void
}

/** How many records a repetition reaches back at most. */
const REPEAT_MAX = 20

/** The handler with the faults of its group. It is never called beside itself for a partition, as before. */
export function faultyHandler(
  handler: BatchHandler,
  faults: () => DeliveryFaults | undefined,
  random: () => number,
): BatchHandler {
  const handled = new Map<string, IncomingRecord[]>()
  return async (records, context) => {
    const { repeated = 0, skipped = 0, topics } = faults() ?? {}
    if (topics?.includes(context.topic) === false) return handler(records, context)
    if (skipped > 0 && random() < skipped) return
    await handler(records, context)
    if (repeated === 0) return
    const key = `${context.topic}[${context.partition}]`
    const last = [...(handled.get(key) ?? []), ...records].slice(-REPEAT_MAX)
    handled.set(key, last)
    if (random() >= repeated || context.signal.aborted) return
    await handler(last.slice(Math.floor(random() * last.length)), context)
  }
}
