/** Milliseconds since the epoch, and what is to be done later. */
export interface Clock {
  now(): number
  /** Runs `task` once after `ms`; the answer cancels it. */
  after(ms: number, task: () => void): () => void
}

function after(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, ms)
  return () => clearTimeout(timer)
}

/**
 * Never jumps, whatever becomes of the time of day: for how long something takes, or may take. It stands still while the
 * machine sleeps, so it is not for what others say in times of day.
 */
export const steadyClock: Clock = { now: () => Math.floor(performance.timeOrigin + performance.now()), after }

/** The time of day, as wrong as the laboratory wants it at this point. */
export const shiftedClock = (
  now: () => number,
  point: { readonly armed: boolean; shiftMs(): number },
): Clock => ({ now: () => (point.armed ? now() + point.shiftMs() : now()), after })
