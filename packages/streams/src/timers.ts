import type { Scheduler } from './scheduler.ts'

/** Timers that end together, with the thing they belong to. */
export interface Timers {
  after(ms: number, task: () => void): () => void
  clear(): void
}

export function timerSet(scheduler: Scheduler): Timers {
  const running = new Set<() => void>()
  return {
    after(ms, task) {
      const cancel = scheduler.after(ms, () => {
        running.delete(cancel)
        task()
      })
      running.add(cancel)
      return () => {
        running.delete(cancel)
        cancel()
      }
    },
    clear() {
      for (const cancel of running) cancel()
      running.clear()
    },
  }
}
