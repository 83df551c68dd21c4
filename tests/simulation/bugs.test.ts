import { bugNames } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { shortest } from './hunt.ts'
import { planOf } from './plan.ts'
import { runPlan } from './run.ts'
import { signs } from './signs.ts'

/** More than any of them has needed. */
const SEEDS = 400

test.for(bugNames)('the bug %s is found, and shown by its sign', async (bug) => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { findings } = await runPlan(planOf(seed), [bug])
    if (signs[bug].some((kind) => kind in findings)) return
  }
  expect.fail(`${bug} went unnoticed`)
})

test('the history that is shown is short, is wrong in the same way, and does not need the rest', async () => {
  const { plan, outcome, tried } = await shortest(3, {}, ['dedupe-off'], 20_000)
  expect(tried).toBeGreaterThan(10)
  expect(plan.steps.length).toBeLessThanOrEqual(6)
  expect(Object.keys(outcome.findings)).toContain('doubled')
  expect((await runPlan(plan, ['dedupe-off'])).findings).toEqual(outcome.findings)
  expect((await runPlan(plan)).findings).toEqual({})
})
