import { type DrillStep, type Scenario, scenarioSchema } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { drillRunner } from './drills.ts'

const scenario = (...steps: Partial<DrillStep>[]): Scenario =>
  scenarioSchema.parse({
    ...{
      name: 'mine',
      title: 'Mine',
      shows: 'Mine.',
      load: { people: 1, rooms: 1, perSecond: 1, seconds: 1 },
    },
    steps: steps.map((step) => ({ at: 1, ...step })),
  })
const by = { actor: 'user:ada', name: 'ada' }
const runner = (main?: string) =>
  drillRunner({
    program: main === undefined ? undefined : { main, dataDir: '/nowhere' },
    now: () => 0,
    newId: () => '00000000-0000-4000-8000-000000000001',
  })

test.each([
  ['replaces everything', scenario({ do: 'restart' })],
  ['replaces it', scenario({ do: 'restart', parts: ['chat', 'lab'] })],
  ['kills it', scenario({ do: 'kill', parts: ['chat'] }, { do: 'kill', parts: ['lab'] })],
])('a drill that would end with the laboratory, since it %s, is refused', (_, order) => {
  const drills = runner('/nowhere/main.ts')
  expect(() => drills.start({ scenario: order }, by)).toThrow(
    expect.objectContaining({ code: 'drill.not_here', message: expect.stringContaining('--on running') }),
  )
  expect(drills.list()).toEqual([])
})

test('where there is nothing to run drills by, they are refused; one that cannot be run has failed', async () => {
  const order = { scenario: scenario({ do: 'restart', parts: ['chat', 'gateway'] }) }
  expect(() => runner().start(order, by)).toThrow(expect.objectContaining({ code: 'drill.not_here' }))
  const drills = runner('/nowhere/main.ts')
  const { id, state } = drills.start(order, by)
  expect(state).toBe('running')
  expect(() => drills.start(order, by)).toThrow(expect.objectContaining({ code: 'server.overloaded' }))
  await expect.poll(() => drills.get(id).state, { timeout: 10_000 }).toBe('failed')
  await drills.close()
})
