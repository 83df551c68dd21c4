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

const AT_ONCE_MS = 500
const AGAIN_MS = 1_000
const SELDOM_MS = 10_000

/**
 * How long to wait until one dials again what has been away for so long, in milliseconds. Right after the cut up to half
 * a second, since most of what is cut is there; then, since it is not, half to all of: a second, or half of the time
 * it has been away, ten seconds at most. So thousands who come back neither meet at one moment nor keep the
 * machine from starting what they wait for, and what was away for a moment has everyone back a moment later.
 */
export function comeBackMs(awayMs: number, random: () => number): number {
  if (awayMs <= 0) return Math.round(random() * AT_ONCE_MS)
  return Math.round(((1 + random()) / 2) * Math.min(SELDOM_MS, Math.max(AGAIN_MS, awayMs / 2)))
}
