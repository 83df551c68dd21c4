import fc from 'fast-check'
import { expect, test } from 'vitest'
import { comeBackMs } from './scheduler.ts'

const waits = (awayMs: number) => [0, 0.5, 1].map((chance) => comeBackMs(awayMs, () => chance))

test('right after a cut one is back within half a second; then seldom, and the more so the longer it is away', () => {
  expect(waits(0)).toEqual([0, 250, 500])
  expect(waits(1)).toEqual([500, 750, 1_000])
  expect(waits(2_000)).toEqual([500, 750, 1_000])
  expect(waits(10_000)).toEqual([2_500, 3_750, 5_000])
  expect(waits(600_000)).toEqual([5_000, 7_500, 10_000])
})

test('what was away for so long has everyone back within half of that, or within a second', () => {
  const chances = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 200, maxLength: 200 })
  fc.assert(
    fc.property(chances, fc.integer({ min: 0, max: 60_000 }), (list, awayMs) => {
      let dialled = 0
      for (const chance of list) {
        const before = dialled
        dialled += Math.max(
          1,
          comeBackMs(before, () => chance),
        )
        if (dialled >= awayMs) break
      }
      expect(dialled - awayMs).toBeLessThanOrEqual(Math.max(1_000, awayMs / 2))
    }),
  )
})
