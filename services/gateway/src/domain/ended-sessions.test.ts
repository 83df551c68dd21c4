import { expect, test } from 'vitest'
import { endedSessions } from './ended-sessions.ts'

test('an ended session is known while a token of it could be about, and so many at a time', () => {
  let now = 0
  const ended = endedSessions({ ttlMs: 1_000, max: 3, now: () => now })
  ended.add('a')
  now = 500
  ended.add('b')
  expect([ended.has('a'), ended.has('b'), ended.has('c')]).toEqual([true, true, false])
  now = 1_000
  ended.add('c')
  expect([ended.has('a'), ended.has('b')]).toEqual([false, true])
  ended.add('d')
  ended.add('e')
  expect(['b', 'c', 'd', 'e'].filter(ended.has)).toEqual(['c', 'd', 'e'])
})

test('told twice, it is known for as long again', () => {
  let now = 0
  const ended = endedSessions({ ttlMs: 1_000, max: 3, now: () => now })
  ended.add('a')
  now = 900
  ended.add('a')
  now = 1_500
  ended.add('b')
  expect(ended.has('a')).toBe(true)
})
