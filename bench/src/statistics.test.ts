import { describe, expect, it } from 'vitest'
import { median, medianRatio, percentile } from './statistics.ts'

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

describe('percentile', () => {
  it('is the value that a share of the values do not exceed', () => {
    expect(percentile(hundred, 0.5)).toBe(50)
    expect(percentile(hundred, 0.99)).toBe(99)
    expect(percentile(hundred, 1)).toBe(100)
    expect(percentile([7], 0.99)).toBe(7)
  })
  it('is no number when there are no values', () => expect(percentile([], 0.5)).toBeNaN())
})

describe('median', () => {
  it('is the middle value, or between the two middle ones', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(median([5])).toBe(5)
  })
})

it('ratios are taken round by round, so that a slow round does not count', () => {
  expect(medianRatio([20, 2, 30], [10, 1, 10])).toBe(2)
})
