import type { Scheduler } from '@klatsch/streams'
import type { FeedCounts } from './counts.ts'
import type { Subscription } from './subscription.ts'
import type { TrackedStream } from './tracked-stream.ts'

/** Of one stream at most one digest in so long goes to those who had one. */
const EVERY_MS = 1_000
/** Streams that are due at about the same time are told together. */
const TOGETHER_MS = 20

export interface Digests {
  /** The stream went on: its digest goes out now, or once a second has passed since the last one. */
  moved(stream: TrackedStream): void
  /** Tells one subscriber how far the stream is, unless that was told. Who is crowded is told when there is room. */
  tell(subscription: Subscription): void
  close(): void
}

/** Tells those who follow a stream by digests how far it is: a passing event, built once, the latest only. */
export function createDigests(options: { scheduler: Scheduler; counts: FeedCounts }): Digests {
  const { scheduler, counts } = options
  /** Until when each stream waits after its last digest. All wait equally long, so the first is due first. */
  const resting = new Map<TrackedStream, number>()
  const moving = new Set<TrackedStream>()
  let cancel: (() => void) | undefined

  function tell(subscription: Subscription): void {
    const { stream, subscriber } = subscription
    if (subscription.over || subscription.sent === stream.head.seq || subscriber.closed) return
    if (subscriber.crowded) {
      counts.passingDropped += 1
      return
    }
    subscription.sent = stream.head.seq
    counts.digests += 1
    subscriber.push(stream.digest())
  }

  function tellAll(stream: TrackedStream): void {
    if (stream.digested.size === 0) return
    for (const subscription of stream.digested) tell(subscription)
    resting.set(stream, scheduler.now() + EVERY_MS)
    wake()
  }

  function wake(): void {
    if (cancel) return
    for (const until of resting.values()) {
      cancel = scheduler.after(Math.max(TOGETHER_MS, until - scheduler.now()), rested)
      return
    }
  }

  function rested(): void {
    cancel = undefined
    const now = scheduler.now()
    for (const [stream, until] of resting) {
      if (until > now) break
      resting.delete(stream)
      if (moving.delete(stream)) tellAll(stream)
    }
    wake()
  }

  return {
    moved(stream) {
      if (stream.digested.size === 0) return
      if (resting.has(stream)) moving.add(stream)
      else tellAll(stream)
    },
    tell,
    close: () => cancel?.(),
  }
}
