import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bugNames, knownBugs } from '@klatsch/contracts'
import { shippedScenarios } from '@klatsch/drills'
import { expect, test } from 'vitest'
import { words } from '../simulation/print.ts'
import { signs } from '../simulation/signs.ts'
import { root } from './workspace.ts'

const rows = readFileSync(join(root, 'docs/BUGS.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))

test('docs/BUGS.md has every deliberate bug, what it does, and what the simulation finds of it', () => {
  expect(rows.map(([, name, part, what, signs]) => [name, part, what, signs])).toEqual(
    bugNames.map((name) => {
      const { part, what } = knownBugs[name]
      return [`\`${name}\``, part, what, signs[name].map(words).join(', ')]
    }),
  )
})

test('and which drill turns red, by what it finds', () => {
  const shipped = shippedScenarios()
  const drills = shipped.map(({ name }) => name)
  const kinds = shipped.flatMap(({ judge }) => judge.invariants).map(words)
  for (const [, bug, , , , cell = ''] of rows) {
    const [, drill, found] = /^`([\w-]+)`: (.+)$/.exec(cell) ?? expect.fail(`${bug}: ${cell}`)
    expect(drills).toContain(drill)
    for (const kind of found!.split(', ')) expect(kinds).toContain(kind)
  }
})
