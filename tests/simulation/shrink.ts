import { type Plan, type Setup, type Step, smallest } from './plan.ts'

export interface Shrunk {
  readonly plan: Plan
  /** Worlds that were run to find it. */
  readonly tried: number
}

/** Orders that a smaller plan is tried under: when steps are cut, the same order no longer means the same interleaving. */
const ORDERS = 3

/**
 * The smallest plan found that still fails: steps are cut by halves, quarters and so on down to one (delta debugging),
 * and people and processes; as long as anything can be cut and `mayGoOn`.
 */
export async function shrink(
  plan: Plan,
  fails: (plan: Plan) => Promise<boolean>,
  mayGoOn: () => boolean,
): Promise<Shrunk> {
  let best = plan
  let tried = 0

  /** Whether a plan smaller than the best fails in some order; then it is the best. */
  async function better(smaller: Omit<Plan, 'order'>): Promise<boolean> {
    for (let turn = 0; turn < ORDERS && mayGoOn(); turn += 1) {
      const candidate = { ...smaller, order: turn === 0 ? best.order : plan.seed * 1_000 + turn }
      tried += 1
      if (!(await fails(candidate))) continue
      best = candidate
      return true
    }
    return false
  }

  async function cutSteps(): Promise<void> {
    for (
      let size = Math.ceil(best.steps.length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let from = 0; from < best.steps.length && mayGoOn(); ) {
        const steps = [...best.steps.slice(0, from), ...best.steps.slice(from + size)]
        if (!(await better({ ...best, steps }))) from += size
      }
    }
  }

  async function cutSetup(): Promise<void> {
    for (const part of Object.keys(smallest) as (keyof Setup)[]) {
      while (best.setup[part] > smallest[part] && mayGoOn()) {
        if (!(await better({ ...best, setup: { ...best.setup, [part]: best.setup[part] - 1 } }))) break
      }
    }
  }

  for (let size = Number.POSITIVE_INFINITY; size > sizeOf(best) && mayGoOn(); ) {
    size = sizeOf(best)
    await cutSetup()
    await cutSteps()
  }
  return { plan: best, tried }
}

const sizeOf = ({ steps, setup }: Plan): number =>
  steps.length + Object.values(setup).reduce((sum, count) => sum + count, 0)

/** Only these steps of a plan. */
export const only = (steps: readonly Step[], names: ReadonlySet<number>): readonly Step[] =>
  steps.filter(({ n }) => names.has(n))
