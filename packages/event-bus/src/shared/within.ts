import { pause, type Scheduler } from '@klatsch/streams'

/** Settles as `work` does, or rejects after `ms` of the scheduler's time. */
export async function within<T>(
  scheduler: Scheduler,
  ms: number,
  what: string,
  work: Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const late = pause(scheduler, ms, over.signal).then((): never => {
    throw new Error(`${what} took longer than ${ms} ms`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}
