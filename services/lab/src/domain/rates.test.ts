import { expect, test } from 'vitest'
import { topicRates } from './rates.ts'

test('a rate is over the last half minute, and not known from one look', () => {
  const rates = topicRates()
  const at = (seconds: number, end: number) => rates.add(seconds * 1_000, new Map([['chat.events', end]]))
  expect(rates.perSecond('chat.events')).toBeUndefined()
  at(0, 1_000)
  expect(rates.perSecond('chat.events')).toBeUndefined()
  at(10, 1_050)
  expect(rates.perSecond('chat.events')).toBe(5)
  at(40, 1_350)
  expect(rates.perSecond('chat.events')).toBe(10)
  expect(rates.perSecond('no.such.topic')).toBeUndefined()
})

test('a topic that was made anew has no negative rate', () => {
  const rates = topicRates()
  rates.add(0, new Map([['t', 500]]))
  rates.add(10_000, new Map([['t', 3]]))
  expect(rates.perSecond('t')).toBe(0)
})
