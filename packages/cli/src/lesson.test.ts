import { knownBugs } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { lessons } from './lesson.ts'

test('they come in their order', () =>
  expect(lessons().map(({ name }) => name)).toEqual([
    'at-least-once',
    'ordering',
    'poison',
    'retries',
    'zombies',
    'backpressure',
  ]))

test.each(lessons())('$name: predict, run, see, explain, with what there is', ({ intro, sections }) => {
  expect(intro).not.toBe('')
  expect(sections.map(({ title }) => title)).toEqual(
    expect.arrayContaining(['Predict', 'Run', 'See', 'Explain']),
  )
  for (const { title, text, command } of sections) {
    expect(text).not.toMatch(/@[\w-]+@/)
    if (title === 'Run') expect(command).toBeDefined()
  }
  for (const { text } of sections) {
    for (const [, name = '', what] of text.matchAll(/^ *\(bug ([\w-]+): (.*)\)$/gm)) {
      expect(what).toBe(knownBugs[name as keyof typeof knownBugs].what)
    }
  }
})
