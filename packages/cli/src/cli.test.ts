import type { IncomingRecord } from '@klatsch/event-bus'
import { expect, test } from 'vitest'
import { matches } from './filter.ts'
import { asJson, asLine } from './format.ts'
import { readPosition } from './position.ts'

const record = (value: string): IncomingRecord => ({
  topic: 'chat.events',
  partition: 3,
  offset: '15',
  key: 'room:a',
  value: Buffer.from(value),
  headers: { ce_type: 'chat.message.sent.v1', seq: '7', actor: 'user:x' },
  timestamp: Date.parse('2026-01-02T03:04:05.678Z'),
})

test('a position is a beginning, an end, an offset, a time or a time ago', () => {
  expect(readPosition('begin', 0)).toEqual({ kind: 'begin' })
  expect(readPosition('now', 0)).toEqual({ kind: 'end' })
  expect(readPosition('120', 0)).toEqual({ kind: 'offset', offset: '120' })
  expect(readPosition('10m', 1_000_000)).toEqual({ kind: 'time', time: 400_000 })
  expect(readPosition('2026-01-31T12:00Z', 0)).toEqual({
    kind: 'time',
    time: Date.parse('2026-01-31T12:00Z'),
  })
  for (const word of ['', 'yesterday', '-5', '10x']) expect(readPosition(word, 0)).toBeUndefined()
})

test('a line tells when, where, what, and the text, which cannot steer the terminal', () => {
  expect(asLine(record('{"data":{"text":"hi \\u001b[2J"}}'), false)).toBe(
    '03:04:05.678  chat.events[3]@15  chat.message.sent.v1  room:a #7  user:x  "hi \\u001b[2J"',
  )
  expect(asLine(record('not json'), false)).toContain('"not json"')
})

test('JSON lines carry the whole record', () => {
  expect(JSON.parse(asJson(record('{"a":1}')))).toMatchObject({
    offset: '15',
    value: { a: 1 },
    headers: { seq: '7' },
  })
  expect(JSON.parse(asJson(record('junk')))).toMatchObject({ value: 'junk' })
})

test('filters narrow by key, type, actor and text', () => {
  const hit = record('{"data":{"text":"Kaffee"}}')
  expect(matches(hit, { key: 'room:a', type: 'chat.message', actor: 'user:x', text: 'kaffee' })).toBe(true)
  expect(matches(hit, { key: 'room:b' })).toBe(false)
  expect(matches(hit, { type: 'chat.room' })).toBe(false)
  expect(matches(hit, { actor: 'user:y' })).toBe(false)
  expect(matches(hit, { text: 'tee' })).toBe(false)
})
