import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bugNames, knownBugs } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { words } from '../simulation/print.ts'
import { signs } from '../simulation/signs.ts'
import { root } from './workspace.ts'

test('docs/BUGS.md has every deliberate bug, what it does, and what the simulation finds of it', () => {
  const rows = readFileSync(join(root, 'docs/BUGS.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  expect(rows.map(([, name, part, what, signs]) => [name, part, what, signs])).toEqual(
    bugNames.map((name) => {
      const { part, what } = knownBugs[name]
      return [`\`${name}\``, part, what, signs[name].map(words).join(', ')]
    }),
  )
})
