import { Worker } from 'node:worker_threads'
import type { SeedResult, Work } from './worker.ts'

export interface Many {
  readonly seeds: number
  readonly turns: number
  readonly sent: number
  readonly seconds: number
  /** The lowest seed among those that failed before all was stopped. */
  readonly failed: SeedResult | undefined
}

/** Runs seeds on so many threads until one fails. `progress`: with how many are done, after each. */
export async function runMany(
  work: Omit<Work, 'job'>,
  progress: (done: number, seconds: number) => void,
): Promise<Many> {
  const began = performance.now()
  const seconds = () => (performance.now() - began) / 1_000
  const sum = { seeds: 0, turns: 0, sent: 0 }
  let failed: SeedResult | undefined
  const workers = Array.from(
    { length: Math.min(work.jobs, work.count) },
    (_, job) => new Worker(new URL('./worker.ts', import.meta.url), { workerData: { ...work, job } }),
  )
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.on('error', reject)
          worker.on('exit', () => resolve())
          worker.on('message', (result: SeedResult) => {
            sum.seeds += 1
            sum.turns += result.turns
            sum.sent += result.sent
            progress(sum.seeds, seconds())
            if (result.kinds.length === 0) return
            if (!failed || result.seed < failed.seed) failed = result
            for (const each of workers) void each.terminate()
          })
        }),
    ),
  )
  return { ...sum, seconds: seconds(), failed }
}
