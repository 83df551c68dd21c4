import { type DrillStep, type Scenario, scenarioSchema } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { shippedScenarios } from '../scenarios.ts'
import { needs, needsOf, obstacles, requireAble } from './needs.ts'
import type { Target } from './target.ts'

const step = (what: object): DrillStep => ({ at: 1, jitter: 0, ...what }) as DrillStep
const drill = (steps: readonly DrillStep[], further: Partial<Scenario> = {}): Scenario =>
  scenarioSchema.parse({
    ...{
      name: 'mine',
      title: 'Mine',
      shows: 'Mine.',
      load: { people: 1, rooms: 1, perSecond: 1, seconds: 1 },
    },
    ...{ steps, ...further },
  })

const nothing = async () => {}
const controls = {
  look: async () => ({ pid: 1, ready: true }),
  ...{ kill: nothing, freeze: nothing, wake: nothing },
}
const bare: Target = { name: 'there', baseUrl: 'http://there', bugs: [] }
const able: Target = { ...bare, controls, parts: ['chat', 'gateway'], restart: nothing }

test('a drill needs what its steps do, once each; those who are only launched are killed by who launched them', () => {
  const kill = step({ do: 'kill', parts: ['chat-b'] })
  const network = step({ do: 'network', server: 'kafka', fault: { kind: 'cut' }, seconds: 1 })
  expect(needsOf(drill([]))).toEqual([])
  expect(needsOf(drill([step({ do: 'cut' }), step({ do: 'halt' })]))).toEqual([])
  expect(needsOf(drill([network, kill, network]))).toEqual(['controls', 'network'])
  expect(needsOf(drill([kill], { instances: [{ service: 'chat', name: 'chat-b' }] }))).toEqual(['instances'])
  const launch = step({ do: 'launch', service: 'chat', name: 'chat-b' })
  expect(needsOf(drill([launch, kill]))).toEqual(['instances'])
})

test('people who only are there need gateways that they can go to one by one', () => {
  const instances = [{ service: 'gateway' as const, name: 'gateway-b' }]
  const load = { people: 1, audience: 10, rooms: 1, perSecond: 1, seconds: 1 } as Scenario['load']
  expect(needsOf(drill([], { instances }))).toEqual(['instances'])
  expect(needsOf(drill([], { instances, load }))).toEqual(['instances', 'gateways'])
  expect(needsOf(drill([], { load }))).toEqual([])
})

test('what cannot be done is said in whole, with the reason, before anything is done', () => {
  const scenario = drill([
    step({ do: 'fill-disk', seconds: 1 }),
    step({ do: 'kill', parts: ['chat', 'gateway-2'] }),
    step({ do: 'restart', parts: ['presence'] }),
  ])
  expect(obstacles({ ...able, without: { disk: 'its Kafka is far' } }, scenario)).toEqual([
    `it needs ${needs.disk}: its Kafka is far`,
    'there is no gateway-2, no presence there, but chat, gateway',
  ])
  expect(() => requireAble(bare, scenario)).toThrow(
    /^mine cannot be run against there: it needs parts to kill[^;]*; it needs services[^;]*; it needs a small disk.*leave --on out\.$/,
  )
  expect(() => requireAble(able, drill([step({ do: 'kill', parts: ['chat'] })]))).not.toThrow()
})

test.each(shippedScenarios())('$name needs nothing that has no name', (scenario) => {
  for (const need of needsOf(scenario)) expect(needs[need]).toMatch(/\w/)
  expect(obstacles(bare, scenario)).toHaveLength(needsOf(scenario).length)
})
