import { expect, test } from 'vitest'
import type { FeedEvent } from './feed-event.ts'
import { Ring, RingBudget } from './ring.ts'

const event = (seq: number, bytes = 100): FeedEvent => ({
  subject: 'room:a',
  seq,
  prevchain: `c${seq - 1}`,
  chain: `c${seq}`,
  type: 't',
  time: '2026-01-01T00:00:00.000Z',
  messageNo: undefined,
  frame: Buffer.alloc(bytes),
})

test('answers what follows a seq, and says when it no longer has it', () => {
  const ring = new Ring(new RingBudget(1e9))
  expect(ring.after(0)).toBeUndefined()
  for (let seq = 5; seq < 10; seq += 1) ring.push(event(seq))
  expect(ring.after(7)?.map((e) => e.seq)).toEqual([8, 9])
  expect(ring.after(4)).toHaveLength(5)
  expect(ring.after(3)).toBeUndefined()
  expect(ring.chainAt(4)).toBe('c4')
  expect(ring.chainAt(9)).toBe('c9')
  expect(ring.chainAt(3)).toBeUndefined()
})

test('one stream keeps a bounded number of events and bytes', () => {
  const budget = new RingBudget(1e9)
  const ring = new Ring(budget)
  for (let seq = 1; seq <= 10_000; seq += 1) ring.push(event(seq))
  expect(ring.after(9_999)).toHaveLength(1)
  expect(budget.used).toBe(budget.eventsPerStream * 100)
})

test('all streams together keep to the budget: the one longest unused is emptied', () => {
  const budget = new RingBudget(1_000)
  const [a, b] = [new Ring(budget), new Ring(budget)]
  for (let seq = 1; seq <= 6; seq += 1) a.push(event(seq))
  for (let seq = 1; seq <= 6; seq += 1) b.push(event(seq))
  expect(a.after(5)).toBeUndefined()
  expect(b.after(0)).toHaveLength(6)
  expect(budget.used).toBe(600)
})

test('takes in what was fetched, where it leads up to what is there', () => {
  const ring = new Ring(new RingBudget(1e9))
  const head = { seq: 10, chain: 'c10' }
  const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => event(from + i))
  ring.prepend(run(4, 9), head)
  expect(ring.after(4)).toBeUndefined()
  ring.prepend(run(7, 10), { seq: 10, chain: 'another' })
  expect(ring.after(8)).toBeUndefined()
  ring.prepend(run(7, 10), head)
  expect(ring.after(6)?.map(({ seq }) => seq)).toEqual([7, 8, 9, 10])
  ring.push(event(11))
  // Overlaps what is there.
  ring.prepend(run(3, 9), head)
  expect(ring.after(2)?.map(({ seq }) => seq)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11])
  ring.prepend(run(1, 1), head)
  expect(ring.after(0)).toBeUndefined()
})

test('takes in no more than there is room for: the latest', () => {
  const budget = new RingBudget(1e9)
  const ring = new Ring(budget)
  const all = Array.from({ length: 500 }, (_, i) => event(i + 1))
  ring.prepend(all, { seq: 500, chain: 'c500' })
  expect(ring.after(244)).toHaveLength(256)
  expect(ring.after(243)).toBeUndefined()
  expect(budget.used).toBe(25_600)
  ring.clear()
  expect(budget.used).toBe(0)
})
