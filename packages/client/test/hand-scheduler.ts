import { setImmediate } from 'node:timers/promises'
import type { Scheduler } from '@klatsch/streams'

export interface HandScheduler extends Scheduler {
  /** Lets time pass: runs what falls due, in order, and everything that follows from it. */
  pass(ms: number): Promise<void>
}

/** Time that stands still until a test lets it pass. */
export function handScheduler(start = 1_700_000_000_000): HandScheduler {
  let now = start
  const timers = new Set<{ at: number; task: () => void }>()

  function nextDue(until: number) {
    let first: { at: number; task: () => void } | undefined
    for (const timer of timers) if (timer.at <= until && (!first || timer.at < first.at)) first = timer
    return first
  }

  return {
    now: () => now,
    after(ms, task) {
      const timer = { at: now + ms, task }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async pass(ms) {
      const until = now + ms
      await setImmediate()
      for (let timer = nextDue(until); timer; timer = nextDue(until)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.task()
        await setImmediate()
      }
      now = until
    },
  }
}
