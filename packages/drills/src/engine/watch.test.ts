import { expect, test } from 'vitest'
import { createWatch } from './watch.ts'

test('what was before the beginning does not count; each second has its own', () => {
  let now = 0
  const watch = createWatch(() => now)
  watch.said('before')
  now = 5_000
  watch.begin()
  watch.answered('before')
  now = 5_100
  watch.said('a')
  now = 6_200
  watch.answered('a')
  watch.seen('a')
  watch.seen('a')
  expect(watch.series).toEqual([
    { sent: 1, acked: 0, seen: 0 },
    { sent: 0, acked: 1, seen: 2 },
  ])
  expect(watch.quantiles().answered).toEqual({ count: 1, p50: 1_100, p99: 1_100, max: 1_100 })
})

test('people waited after a step until the last answer that took longer than a second', () => {
  let now = 0
  const watch = createWatch(() => now)
  const exchange = (command: string, said: number, answered: number) => {
    now = said
    watch.said(command)
    now = answered
    watch.answered(command)
  }
  exchange('well before', 100, 150)
  exchange('caught by it', 900, 4_000)
  exchange('said meanwhile', 2_000, 5_500)
  exchange('well again', 5_600, 5_700)
  exchange('caught by the next', 9_500, 12_000)
  expect(watch.recoveredMs(1_000, 9_000)).toBe(4_500)
  expect(watch.recoveredMs(6_000, 9_000)).toBeUndefined()
})
