import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { networkOrderSchema } from '@klatsch/local-stack'
import { faultPoints } from '@klatsch/service-kit'
import { describe, expect, test } from 'vitest'
import { timesOf } from './engine/timeline.ts'
import { seededRandom } from './random.ts'
import { resized, scenarioOf, shippedScenarios } from './scenarios.ts'

const files = readdirSync(new URL('../scenarios', import.meta.url)).map((file) => file.replace('.json', ''))

describe.each(files)('%s', (name) => {
  const scenario = scenarioOf(name)

  test('is called like its file, and says what it shows in a sentence', () => {
    expect(scenario.name).toBe(name)
    expect(scenario.shows).toMatch(/\.$/)
  })

  test('does its steps in their order, at times that differ by the seed', () => {
    const times = (seed: number) => timesOf(scenario.steps, seededRandom(seed)).map(({ atMs }) => atMs)
    expect(times(1)).toEqual(times(1).toSorted((a, b) => a - b))
    if (scenario.steps.length > 0) expect(times(1)).not.toEqual(times(2))
  })

  test('names fault points that there are, what can happen there, and rooms that the load has', () => {
    for (const step of scenario.steps) {
      if (step.do !== 'fault') continue
      const { point, effect, rooms = [] } = step.fault
      expect(Object.keys(faultPoints)).toContain(point)
      expect(faultPoints[point as keyof typeof faultPoints].effects).toContain(effect.kind)
      for (const room of rooms) expect(room).toBeLessThan(scenario.load.rooms)
    }
  })

  test('spoils the network in ways that there are', () => {
    for (const step of scenario.steps) {
      if (step.do !== 'network') continue
      const { server: target, fault, services } = step
      expect(networkOrderSchema.safeParse({ target, fault, services, forMs: 1 })).toMatchObject({
        success: true,
      })
    }
  })

  test('shuts down and kills instances that it has', () => {
    const launched = new Set(scenario.instances.map((each) => each.name))
    for (const step of scenario.steps) {
      if (step.do === 'launch') launched.add(step.name)
      if (step.do === 'stop' || step.do === 'repeat') expect(launched).toContain(step.name)
    }
  })
})

test('all of them are listed, each once', () => {
  expect(shippedScenarios().map(({ name }) => name)).toEqual(files.toSorted())
})

test('another size keeps the order of things', () => {
  const half = resized(scenarioOf('kill-gateway'), { seconds: 20, size: 0.5 })
  expect(half.load).toMatchObject({ people: 5, bare: 5, seconds: 20, perSecond: 40 })
  expect(half.steps.map(({ at }) => at)).toEqual([3, 8.5, 14])
})

test('what is no scenario is said, and where', () => {
  const dir = mkdtempSync(join(tmpdir(), 'scenario-'))
  try {
    const file = join(dir, 'mine.json')
    const load = { rooms: 1, perSecond: 1, seconds: 1 }
    writeFileSync(
      file,
      JSON.stringify({ name: 'mine', title: 'Mine', shows: 'It.', load, steps: [{ do: 'dance' }] }),
    )
    expect(() => scenarioOf(file)).toThrow(/mine\.json is no scenario[\s\S]*steps\[0\]/)
    writeFileSync(file, '{')
    expect(() => scenarioOf(file)).toThrow(/cannot be read as JSON/)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  expect(() => scenarioOf('kill-nobody')).toThrow(/no drill called "kill-nobody"/)
})
