import { expect, test } from 'vitest'
import { Runs } from './runs.ts'

const frames = (...texts: string[]) => texts.map((text) => Buffer.from(text))

test('a run is joined once, however many are pushed it; another run is another buffer', () => {
  const runs = new Runs()
  const run = runs.join(frames('a', 'b', 'c'), 'chain-c')
  expect(run.toString()).toBe('abc')
  expect(runs.join(frames('a', 'b', 'c'), 'chain-c')).toBe(run)
  expect(runs.join(frames('b', 'c'), 'chain-c').toString()).toBe('bc')
  expect(runs.join(frames('x', 'b', 'c'), 'chain-of-another-history').toString()).toBe('xbc')
})

test('one frame is itself, and what is kept is bounded', () => {
  const runs = new Runs()
  const [one] = frames('a')
  expect(runs.join([one!], 'chain')).toBe(one)
  const large = [Buffer.alloc(3_000_000), Buffer.alloc(1)]
  const first = runs.join(large, '1')
  runs.join(large, '2')
  expect(runs.join(large, '1')).toBe(first)
  runs.join(large, '3')
  expect(runs.join(large, '1')).not.toBe(first)
})
