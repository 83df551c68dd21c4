import { expect, test } from 'vitest'
import { planOf, type StepKind } from './plan.ts'
import { type Outcome, runPlan } from './run.ts'

const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 40)
const FIRST = Number(process.env.SIMULATION_FIRST_SEED ?? 1)

/** Nothing is lost, doubled or out of order, nothing is left open, all who read read the same, and nobody is a ghost. */
function isWhole({ findings, story }: Outcome): void {
  expect(findings, story.join('\n')).toEqual({})
}

test.for(Array.from({ length: SEEDS }, (_, index) => FIRST + index))(
  '[D2] [D3] [D5] [D6] [W8] [W9] [S3] [S4] seed %i: nothing lost, doubled or out of order, no ghost',
  async (seed) => isWhole(await runPlan(planOf(seed))),
)

test(`[D5] [W4] [W9] sockets cut, told to go elsewhere, silent or slow, thousands of times: in the end everyone has what the record has`, async () => {
  const done: Partial<Record<StepKind, number>> = {}
  for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
    const outcome = await runPlan(planOf(seed, { cutting: 4 }))
    isWhole(outcome)
    for (const [kind, times] of Object.entries(outcome.done)) {
      done[kind as StepKind] = (done[kind as StepKind] ?? 0) + times
    }
  }
  const spoilt = Object.entries(done).reduce(
    (sum, [kind, times]) => (kind.endsWith('socket') || kind.endsWith('elsewhere') ? sum + times : sum),
    0,
  )
  if (SEEDS >= 40) expect(spoilt).toBeGreaterThan(4_000)
  if (SEEDS >= 40)
    expect(Object.keys(done)).toEqual(expect.arrayContaining(['kill a presence', 'come or go']))
}, 300_000)

test('a seed is the same world every time', async () => {
  const [one, other] = [await runPlan(planOf(7)), await runPlan(planOf(7))]
  expect(other).toEqual(one)
})
