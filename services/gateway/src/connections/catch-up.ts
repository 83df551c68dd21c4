import { limits } from '@klatsch/contracts'
import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { Asking } from './asking.ts'
import type { FeedCounts } from './counts.ts'
import type { FeedEvent } from './feed-event.ts'
import type { Pace } from './pace.ts'
import { Runs } from './runs.ts'
import type { Subscription } from './subscription.ts'
import type { TrackedStream } from './tracked-stream.ts'

/** Bytes pushed to one socket in one go while it catches up. */
const PULL_BYTES = 256 * 1024

export interface CatchUp {
  /** Pushes from the position on, from memory or by asking, until live, congested or over. */
  run(subscription: Subscription): Promise<void>
  /** Sends the subscriber to a fresh page; live goes on after the head. */
  reset(subscription: Subscription, reason: 'gap' | 'fork'): void
  /** The membership ended with this event, which was the last one pushed. */
  end(subscription: Subscription, seq: number): void
}

/** The one way to catch up: resumes, rooms just joined and slow sockets alike. */
export function createCatchUp(options: {
  asking: Asking
  pace: Pace
  scheduler: Scheduler
  random: () => number
  counts: FeedCounts
  signal: AbortSignal
  warn: (fields: object, message: string) => void
  flush: (stream: TrackedStream) => void
  /** The stream is known to reach this seq. */
  expect: (stream: TrackedStream, seq: number) => void
}): CatchUp {
  const runs = new Runs()
  const { asking, pace, scheduler, random, counts, signal, warn, flush } = options

  function end(subscription: Subscription, seq: number): void {
    if (subscription.over) return
    subscription.stream.remove(subscription, scheduler.now())
    subscription.subscriber.send({
      type: 'unfollowed',
      subject: subscription.stream.subject,
      code: 'left',
      seq,
    })
    subscription.subscriber.ended(subscription.stream.subject)
  }

  function reset(subscription: Subscription, reason: 'gap' | 'fork'): void {
    const { stream, first } = subscription
    flush(stream)
    const head = stream.head
    counts.resets += 1
    subscription.sent = head.seq
    subscription.chain = head.chain
    subscription.subscriber.send({
      type: 'reset',
      subject: stream.subject,
      reason,
      from: Math.max(first, head.seq - limits.pageSize + 1),
      head: head.seq,
    })
    if (!subscription.live) goLive(subscription)
  }

  function goLive(subscription: Subscription): void {
    subscription.stream.goLive(subscription)
    subscription.subscriber.send({
      type: 'live',
      subject: subscription.stream.subject,
      head: subscription.stream.head.seq,
    })
  }

  async function run(subscription: Subscription): Promise<void> {
    if (subscription.pulling) return
    subscription.pulling = true
    const { stream, subscriber } = subscription
    // Let in by `pace`, for one push. Who asked once more instead would stand at the end of the line again, for ever.
    let letIn = false
    try {
      for (let failures = 0; !subscription.over && !subscriber.closed && !signal.aborted; ) {
        if (subscriber.congested || subscription.live) return
        if (subscription.until !== undefined && subscription.sent >= subscription.until) {
          end(subscription, subscription.until)
          return
        }
        const room = letIn ? undefined : pace.room()
        if (room) {
          await room
          letIn = true
          continue
        }
        letIn = false
        flush(stream)
        const head = stream.head
        if (subscription.sent === head.seq) {
          if (subscription.chain !== undefined && subscription.chain !== head.chain)
            reset(subscription, 'fork')
          else goLive(subscription)
          return
        }
        if (head.seq - subscription.sent > limits.resumeEvents && subscription.until === undefined) {
          reset(subscription, 'gap')
          return
        }
        let events = subscription.sent < head.seq ? stream.recent(subscription.sent) : undefined
        if (!events) {
          try {
            const answer = await asking.page(stream.subject, subscription.sent, subscriber.userId)
            failures = 0
            if (answer.head.seq < subscription.sent) {
              if (!subscription.live && !subscription.over) reset(subscription, 'fork')
              return
            }
            options.expect(stream, answer.head.seq)
            events = answer.events
            stream.remember(events)
          } catch (error) {
            warn({ err: error, subject: stream.subject }, 'catching up failed; trying again')
            await pause(scheduler, backoffMs(failures++, 250, 5_000, random), signal)
            continue
          }
          if (subscription.over || subscription.live || subscriber.closed) return
          if (events.length === 0) {
            // This gateway is behind: the tail is on its way, and its arrival takes this up again.
            if (stream.head.seq < subscription.sent) return
            if (stream.head.seq > subscription.sent) await pause(scheduler, 250, signal)
            continue
          }
        }
        if (!push(subscription, events)) {
          reset(subscription, 'fork')
          return
        }
      }
    } finally {
      subscription.pulling = false
    }
  }

  /** Pushes a run of events that follows the position; false when it does not. */
  function push(subscription: Subscription, events: readonly FeedEvent[]): boolean {
    const frames: Buffer[] = []
    let bytes = 0
    for (const event of events) {
      if (subscription.until !== undefined && event.seq > subscription.until) break
      if (event.seq !== subscription.sent + 1) return false
      if (subscription.chain !== undefined && event.prevchain !== subscription.chain) return false
      subscription.sent = event.seq
      subscription.chain = event.chain
      frames.push(event.frame)
      bytes += event.frame.length
      if (bytes > PULL_BYTES) break
    }
    counts.delivered += frames.length
    pace.spend(bytes)
    if (frames.length > 0) subscription.subscriber.push(runs.join(frames, subscription.chain ?? ''))
    return true
  }

  return { run, reset, end }
}
