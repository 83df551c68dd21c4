import { expect, test } from 'vitest'
import { rateLimiter } from './rate-limit.ts'

test('a burst goes through, then so many a minute, each key for itself', () => {
  let now = 0
  const limiter = rateLimiter({ perMinute: 60, burst: 3 }, () => now)
  expect([1, 2, 3].map(() => limiter.take('a'))).toEqual([0, 0, 0])
  expect(limiter.take('a')).toBe(1_000)
  expect(limiter.take('b')).toBe(0)
  now = 400
  expect(limiter.take('a')).toBe(600)
  now = 1_000
  expect(limiter.take('a')).toBe(0)
  expect(limiter.take('a')).toBe(1_000)
})

test('a clock that goes back gives nothing away', () => {
  let now = 10_000
  const limiter = rateLimiter({ perMinute: 60, burst: 1 }, () => now)
  expect(limiter.take('a')).toBe(0)
  now = 0
  expect(limiter.take('a')).toBeGreaterThan(0)
})
