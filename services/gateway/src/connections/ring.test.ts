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
  actor: 'a',
  causationId: 'x',
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
