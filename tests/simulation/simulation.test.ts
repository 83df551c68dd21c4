import { describe, expect, test } from 'vitest'
import { type Bug, type Outcome, runWorld } from './world.ts'

const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 40)
const FIRST = Number(process.env.SIMULATION_FIRST_SEED ?? 1)
const STEPS = 60

test.for(Array.from({ length: SEEDS }, (_, index) => FIRST + index))(
  '[D2] [D3] [D5] [D6] [W8] [W9] seed %i: nothing lost, doubled or out of order',
  async (seed) => {
    isWhole(await runWorld(seed, STEPS))
  },
)

/** Nothing is lost, doubled or out of order, nothing is left open, and all who read read the same. */
function isWhole({ report, story, ...rest }: Outcome): void {
  expect(report.anomalies, story.join('\n')).toEqual(
    Object.fromEntries(Object.keys(report.anomalies).map((name) => [name, []])),
  )
  const { unknown, rejected } = report
  const { unpublished, misordered, undecided, disagreements, staleDigests } = rest
  expect(
    { unknown, rejected, unpublished, misordered, undecided, disagreements, staleDigests },
    story.join('\n'),
  ).toEqual({
    unknown: 0,
    rejected: 0,
    unpublished: 0,
    misordered: 0,
    undecided: 0,
    disagreements: 0,
    staleDigests: 0,
  })
}

test(`[D5] [W4] [W9] sockets cut, told to go elsewhere, silent or slow, thousands of times: in the end everyone has what the record has`, async () => {
  const done = { cut: 0, goaway: 0, 'half-open': 0, slow: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
    const outcome = await runWorld(seed, STEPS, { cutting: 3 })
    isWhole(outcome)
    for (const [name, times] of Object.entries(outcome.mishaps)) done[name as keyof typeof done] += times
  }
  // 40 seeds of 60 steps with three mishaps each.
  if (SEEDS >= 40) expect(done.cut + done.goaway + done['half-open'] + done.slow).toBeGreaterThan(4_000)
}, 300_000)

describe('the simulation is worth something: a bug that is put in is found', () => {
  const bugs: readonly [Bug, RegExp][] = [
    ['dedupe-off', /doubled|phantom/],
    ['offset-before-commit', /undecided|disagreements/],
    ['gap-fill-off', /lost|gaps/],
    ['key-order-off', /misordered/],
  ]
  test.for(bugs)('%s', async ([bug, signs]) => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const { report, misordered, undecided, disagreements } = await runWorld(seed, STEPS, { bugs: [bug] })
      const found = Object.entries(report.anomalies).flatMap(([name, witnesses]) =>
        witnesses.length > 0 ? [name] : [],
      )
      if (misordered > 0) found.push('misordered')
      if (undecided > 0) found.push('undecided')
      if (disagreements > 0) found.push('disagreements')
      if (found.some((name) => signs.test(name))) return
    }
    expect.fail(`${bug} went unnoticed`)
  })
})
