/** Time as an argument: the system's own, or a simulation's that a seed decides. Milliseconds since the epoch. */
export interface Scheduler {
  now(): number
  /** Runs `task` once after `ms`; the answer cancels it. */
  after(ms: number, task: () => void): () => void
}

export const systemScheduler: Scheduler = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms`, or at once when the signal is aborted. Never rejects. */
export function pause(scheduler: Scheduler, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = scheduler.after(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** Exponential backoff with full jitter: a random wait up to `min(capMs, baseMs · 2^attempt)`. `attempt` begins at 0. */
export function backoffMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)))
}

/**
 * A random wait up to half of the time for which something has been away, within `baseMs` and `capMs`: what was away
 * for a moment has everyone back a moment later, and what is away for long is seldom asked.
 */
export function comeBackMs(awayMs: number, baseMs: number, capMs: number, random: () => number): number {
  return Math.round(random() * Math.min(capMs, Math.max(baseMs, awayMs / 2)))
}
