import { type Attempt, attemptType, headers, topics } from '@klatsch/contracts'
import { pause, type Scheduler, systemScheduler } from '@klatsch/streams'
import type { OutgoingRecord, Publisher } from '../types.ts'

const MAX_WAITING = 1_000
const AGAIN_MS = 1_000

/** Tells on `lab.attempts` what goes wrong with records. */
export interface AttemptLog {
  /** Never waits and never fails: what there is no room for is dropped and counted. */
  note(attempt: Attempt): void
  /** Attempts that were not told. */
  readonly dropped: number
  /** Gives what waits a last chance; the publisher stays open. */
  close(): Promise<void>
}

/** `maxWaiting`: attempts kept while the log does not take them. How many were dropped is told once there is room again. */
export function attemptLog(
  publisher: Publisher,
  {
    scheduler = systemScheduler,
    maxWaiting = MAX_WAITING,
  }: { scheduler?: Scheduler; maxWaiting?: number } = {},
): AttemptLog {
  const closing = new AbortController()
  let waiting: Attempt[] = []
  let underWay = 0
  const dropped = { count: 0, told: 0, group: '' }
  let sending: Promise<void> | undefined

  async function send(): Promise<void> {
    // What is noted in this turn of the event loop goes out together.
    await Promise.resolve()
    for (let last = false; waiting.length > 0 && !last; ) {
      last = closing.signal.aborted
      const batch = waiting
      waiting = []
      underWay = batch.length
      const { count, told, group } = dropped
      const time = new Date(scheduler.now()).toISOString()
      const more: Attempt[] = count > told ? [{ kind: 'dropped', time, group, count: count - told }] : []
      try {
        await publisher.publish([...batch, ...more].map(recordOf))
        dropped.told = count
      } catch {
        waiting = [...batch, ...waiting]
        if (!last) await pause(scheduler, AGAIN_MS, closing.signal)
      }
      underWay = 0
    }
    sending = undefined
  }

  return {
    get dropped() {
      return dropped.count
    },
    note(attempt) {
      if (waiting.length + underWay >= maxWaiting) {
        dropped.count++
        dropped.group = attempt.group
        return
      }
      waiting.push(attempt)
      sending ??= send()
    },
    async close() {
      closing.abort()
      await sending
    },
  }
}

/** Under the record's own key, so that what befell one record is in order. */
const recordOf = (attempt: Attempt): OutgoingRecord => ({
  topic: topics.attempts.name,
  key: attempt.kind === 'dropped' ? attempt.group : attempt.key,
  value: JSON.stringify(attempt),
  headers: { [headers.type]: attemptType(attempt.kind) },
})
