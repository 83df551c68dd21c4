import type { Bug } from '@klatsch/contracts'
import { type PlanOptions, planOf } from './plan.ts'
import type { Outcome } from './run.ts'
import { runPlan } from './run.ts'
import { type Shrunk, shrink } from './shrink.ts'

/** Finds the shortest history that is wrong in the same way as this seed's, as far as the time goes. */
export async function shortest(
  seed: number,
  options: PlanOptions,
  bugs: readonly Bug[],
  withinMs: number,
): Promise<Shrunk & { readonly outcome: Outcome }> {
  const plan = planOf(seed, options)
  const first = await runPlan(plan, bugs)
  const kinds = Object.keys(first.findings)
  const until = performance.now() + withinMs
  const fails = async (candidate: typeof plan) => {
    const { findings } = await runPlan(candidate, bugs).catch(() => ({ findings: {} }))
    return kinds.some((kind) => kind in findings)
  }
  const shrunk = await shrink(plan, fails, () => performance.now() < until)
  return { ...shrunk, outcome: await runPlan(shrunk.plan, bugs) }
}
