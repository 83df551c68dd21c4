import { expect, test } from 'vitest'
import { readPosition, recordMatches, writeOffsets } from './records.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('a position is a beginning, an end, an offset, a count, a time or a time ago', () => {
  expect(readPosition('begin', 0)).toEqual({ kind: 'begin' })
  expect(readPosition('now', 0)).toEqual({ kind: 'end' })
  expect(readPosition('120', 0)).toEqual({ kind: 'offset', offset: '120' })
  expect(readPosition('last:50', 0)).toEqual({ kind: 'last', count: 50 })
  expect(readPosition('10m', 1_000_000)).toEqual({ kind: 'time', time: 400_000 })
  expect(readPosition('2026-01-31T12:00Z', 0)).toEqual({
    kind: 'time',
    time: Date.parse('2026-01-31T12:00Z'),
  })
  for (const word of ['', 'yesterday', '-5', '10x', 'last:', '@', '@1', '@1:2,']) {
    expect(readPosition(word, 0)).toBeUndefined()
  }
})

test('offsets of partitions are read as they were written', () => {
  const offsets = new Map([
    [3, '7'],
    [0, '9007199254740993'],
  ])
  expect(writeOffsets(offsets)).toBe('@0:9007199254740993,3:7')
  expect(readPosition(writeOffsets(offsets), 0)).toEqual({ kind: 'offsets', offsets })
})

test('filters narrow by key, type, actor, room and text', () => {
  const hit = {
    key: 'room:a',
    headers: { ce_type: 'chat.message.sent.v1', actor: 'user:x' },
    value: bytes('{"data":{"text":"Kaffee"}}'),
  }
  expect(recordMatches(hit, { key: 'room:a', type: 'chat.message', actor: 'user:x', text: 'kaffee' })).toBe(
    true,
  )
  expect(recordMatches(hit, { room: 'room:a' })).toBe(true)
  expect(recordMatches(hit, { key: 'room:b' })).toBe(false)
  expect(recordMatches(hit, { type: 'chat.room' })).toBe(false)
  expect(recordMatches(hit, { actor: 'user:y' })).toBe(false)
  expect(recordMatches(hit, { room: 'room:b' })).toBe(false)
  expect(recordMatches(hit, { text: 'tee' })).toBe(false)
})

test("a room's records are its own, and those of other streams that name it", () => {
  const elsewhere = { key: 'user:x', headers: {}, value: bytes('{"data":{"room":"room:a","seq":1}}') }
  expect(recordMatches(elsewhere, { room: 'room:a' })).toBe(true)
  expect(recordMatches(elsewhere, { room: 'room:aa' })).toBe(false)
  expect(recordMatches({ ...elsewhere, headers: { ce_subject: 'room:b' } }, { room: 'room:b' })).toBe(true)
})
