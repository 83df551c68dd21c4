import type { StreamTip } from '@klatsch/contracts'
import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { Asking } from './asking.ts'
import type { FeedEvent } from './feed-event.ts'
import type { TrackedStream } from './tracked-stream.ts'

/** A hole may close by itself: records of one stream can arrive out of order after a handover. */
const REORDER_MS = 100

export interface Healer {
  /** Something beyond the next seq came: wait a moment, then fetch what is missing. */
  hole(stream: TrackedStream): void
  /** The stream is known to reach this seq: if it has not come after a moment, fetch. */
  expect(stream: TrackedStream, seq: number): void
  /** What came does not continue what one has: fetch again, trust neither. */
  fork(stream: TrackedStream): void
}

/** Fills holes from Postgres, which is the record; the log only carries it. */
export function createHealer(options: {
  /** A deliberate bug: heals nothing. */
  off: boolean
  asking: Asking
  scheduler: Scheduler
  random: () => number
  warn: (fields: object, message: string) => void
  signal: AbortSignal
  take: (stream: TrackedStream, event: FeedEvent) => void
  /** The history here was another: begin again at this head. */
  restart: (stream: TrackedStream, head: StreamTip) => void
  healed: () => void
}): Healer {
  const { asking, scheduler, random, warn, signal } = options

  const incomplete = (stream: TrackedStream) => stream.hasHole || stream.head.seq < stream.expected

  /** `look`: ask at least once, even where nothing seems to be missing. */
  async function heal(stream: TrackedStream, waitMs: number, look: boolean): Promise<void> {
    if (stream.healing || options.off) return
    stream.healing = true
    try {
      await pause(scheduler, waitMs, signal)
      for (let failures = 0, asked = !look; (!asked || incomplete(stream)) && !signal.aborted; ) {
        try {
          const { seq: after, chain } = stream.head
          const { events, head } = await asking.heal(stream.subject, after)
          // Live events may have closed the hole meanwhile; only what follows the position now counts.
          const { seq: now, chain: chainNow } = stream.head
          const next = events.find((event) => event.seq === now + 1)
          const lost = head.seq < after || (head.seq === after && head.chain !== chain)
          if (lost || (next && next.prevchain !== chainNow)) {
            options.restart(stream, head)
            return
          }
          for (const event of events) if (event.seq > now) options.take(stream, event)
          if (events.length === 0) {
            stream.expected = Math.min(stream.expected, head.seq)
            if (!stream.hasHole) return
            throw new Error('a hole that Postgres cannot fill yet')
          }
          options.healed()
          failures = 0
          asked = true
        } catch (error) {
          warn({ err: error, subject: stream.subject }, 'filling a hole failed; trying again')
          await pause(scheduler, backoffMs(failures++, 250, 5_000, random), signal)
        }
      }
    } finally {
      stream.healing = false
    }
  }

  return {
    hole: (stream) => void heal(stream, REORDER_MS, false),
    expect(stream, seq) {
      if (stream.head.seq >= seq) return
      stream.expected = Math.max(stream.expected, seq)
      void heal(stream, REORDER_MS, false)
    },
    fork: (stream) => void heal(stream, 0, true),
  }
}
