import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Scenario, scenarioSchema } from '@klatsch/contracts'
import { z } from 'zod'
import { DrillError } from './engine/target.ts'

const folder = fileURLToPath(new URL('../scenarios', import.meta.url))

/** The scenarios that come with Klatsch, by name. */
export const shippedScenarios = (): Scenario[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => read(join(folder, file)))

/** A scenario by its name, or of a file (`.json`). @throws DrillError */
export function scenarioOf(name: string): Scenario {
  if (name.endsWith('.json')) return read(name)
  const names = shippedScenarios()
  const found = names.find((scenario) => scenario.name === name)
  if (found) return found
  throw new DrillError(
    `there is no drill called "${name}". There are: ${names.map((each) => each.name).join(', ')}.`,
  )
}

function read(file: string): Scenario {
  let text: unknown
  try {
    text = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new DrillError(`${file} cannot be read as JSON: ${(cause as Error).message}`, { cause })
  }
  const { data, error } = scenarioSchema.safeParse(text)
  if (error) throw new DrillError(`${basename(file)} is no scenario:\n${z.prettifyError(error)}`)
  return data
}

/** The same drill in another size: its time line stretched to so many seconds, its people and messages multiplied. */
export function resized(
  scenario: Scenario,
  { seconds = scenario.load.seconds, size = 1 }: { readonly seconds?: number; readonly size?: number },
): Scenario {
  const { load } = scenario
  const stretch = seconds / load.seconds
  const tenths = (seconds: number) => Math.round(seconds * 10) / 10
  const many = (count: number) => (count === 0 ? 0 : Math.max(1, Math.round(count * size)))
  return scenarioSchema.parse({
    ...scenario,
    load: {
      ...load,
      ...{ seconds, people: many(load.people), bare: many(load.bare), strict: many(load.strict) },
      audience: many(load.audience),
      perSecond: load.perSecond * size,
    },
    steps: scenario.steps.map((step) => ({
      ...step,
      at: step.at * stretch,
      ...(step.do !== 'freeze' && 'seconds' in step
        ? { seconds: tenths(step.seconds * Math.min(1, stretch)) }
        : {}),
    })),
  })
}
