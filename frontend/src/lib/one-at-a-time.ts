/**
 * Runs a task once at a time per key. Who asks while it runs gets the next run, together with all others who wait for
 * it: an answer that was asked for earlier may not know what one asks about.
 */
export function oneAtATime<T>(task: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const running = new Map<string, Promise<unknown>>()
  const next = new Map<string, Promise<T>>()
  return (key) => {
    const waiting = next.get(key)
    if (waiting) return waiting
    const begin = (): Promise<T> => {
      next.delete(key)
      const run = task(key)
      const ended = () => {
        if (running.get(key) === settled) running.delete(key)
      }
      const settled = run.then(ended, ended)
      running.set(key, settled)
      return run
    }
    const before = running.get(key)
    if (!before) return begin()
    const asked = before.then(begin)
    next.set(key, asked)
    return asked
  }
}
