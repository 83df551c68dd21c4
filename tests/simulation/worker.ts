// One thread of `npm run simulate`: runs every so-manyth seed and tells what came of each.
import { parentPort, workerData } from 'node:worker_threads'
import type { Bug } from '@klatsch/contracts'
import { type PlanOptions, planOf } from './plan.ts'
import { runPlan } from './run.ts'

export interface Work {
  readonly first: number
  readonly count: number
  /** Of these threads it is that one. */
  readonly jobs: number
  readonly job: number
  readonly options: PlanOptions
  readonly bugs: readonly Bug[]
}

/** `kinds`: what was found; none when all was well. `error`: the world could not be run to its end. */
export interface SeedResult {
  readonly seed: number
  readonly kinds: readonly string[]
  readonly turns: number
  readonly sent: number
  readonly error?: string
}

const { first, count, jobs, job, options, bugs } = workerData as Work
for (let seed = first + job; seed < first + count; seed += jobs) {
  parentPort?.postMessage(await resultOf(seed))
}

async function resultOf(seed: number): Promise<SeedResult> {
  try {
    const { findings, turns, report } = await runPlan(planOf(seed, options), bugs)
    return { seed, kinds: Object.keys(findings), turns, sent: report.sent }
  } catch (error) {
    return { seed, kinds: ['error'], turns: 0, sent: 0, error: String(error) }
  }
}
