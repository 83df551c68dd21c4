import type { IncomingRecord } from '@klatsch/event-bus'
import { expect, test } from 'vitest'
import { orderOf } from './faults.ts'
import { asJson, asLine, painter, table } from './format.ts'
import { networkOrder } from './network.ts'

const record = (value: string): IncomingRecord => ({
  topic: 'chat.events',
  partition: 3,
  offset: '15',
  key: 'room:a',
  value: Buffer.from(value),
  headers: { ce_type: 'chat.message.sent.v1', seq: '7', actor: 'user:x' },
  timestamp: Date.parse('2026-01-02T03:04:05.678Z'),
})

const plain = painter({ isTTY: true }, { NO_COLOR: '1' })

test('a line tells when, where, what, and the text, which cannot steer the terminal', () => {
  expect(asLine(record('{"data":{"text":"hi \\u001b[2J"}}'), plain)).toBe(
    '03:04:05.678  chat.events[3]@15  chat.message.sent.v1  room:a #7  user:x  "hi \\u001b[2J"',
  )
  expect(asLine(record('not json'), plain)).toContain('"not json"')
})

test('JSON lines carry the whole record', () => {
  expect(JSON.parse(asJson(record('{"a":1}')))).toMatchObject({
    offset: '15',
    value: { a: 1 },
    headers: { seq: '7' },
  })
  expect(JSON.parse(asJson(record('junk')))).toMatchObject({ value: 'junk' })
})

test('a table is as wide as what is in it, and coloured on a terminal only', () => {
  const rows = [
    ['chat.events', '12'],
    ['lab', '1'],
  ]
  expect(table(['topic', 'partitions'], rows, plain)).toEqual([
    'topic        partitions',
    'chat.events  12',
    'lab          1',
  ])
  expect(painter({ isTTY: true }, {})('red', 'no')).toContain('\u001b[31m')
  expect(painter({}, {})('red', 'no')).toBe('no')
})

test('a fault is put together from options; what is no number or duration is said', () => {
  expect(
    orderOf('gateway.deliver', 'delay', { for: '30s', ms: '200', room: ['room:a'], percent: '20' }),
  ).toEqual({
    point: 'gateway.deliver',
    effect: { kind: 'delay', ms: 200 },
    who: { rooms: ['room:a'] },
    percent: 20,
    forMs: 30_000,
  })
  expect(() => orderOf('x', 'delay', { for: 'ever' })).toThrow('--for "ever" is no duration')
  expect(() => orderOf('x', 'delay', { for: '1s', ms: 'many' })).toThrow('--ms "many" is no number')
  expect(() => orderOf('x', 'explode', { for: '1s' })).toThrow('"explode" is no fault')
})

test('a fault of the network is put together from options: one kind, and for how long', () => {
  expect(networkOrder('kafka', { for: '30s', latency: '200', bandwidth: '64k', seed: '7' })).toEqual({
    target: 'kafka',
    fault: { kind: 'slow', latencyMs: 200, jitterMs: 0, bytesPerSecond: 65_536 },
    forMs: 30_000,
    seed: 7,
  })
  expect(networkOrder('postgres', { for: '1m', halfOpen: true, service: ['chat'] })).toEqual({
    target: 'postgres',
    fault: { kind: 'half-open' },
    forMs: 60_000,
    services: ['chat'],
  })
  expect(() => networkOrder('kafka', { for: '1s', cut: true, latency: '1' })).toThrow('say one of')
  expect(() => networkOrder('kafka', { for: '1s' })).toThrow('say one of')
  expect(() => networkOrder('kafka', { cut: true })).toThrow('every fault ends by itself')
  expect(() => networkOrder('redis', { cut: true, for: '1s' })).toThrow('"redis" has no network')
  expect(() => networkOrder('kafka', { for: '1s', bandwidth: 'wide' })).toThrow('no number of bytes')
})
