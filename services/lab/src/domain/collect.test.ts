import { expect, test } from 'vitest'
import { type CollectOptions, collector } from './collect.ts'
import type { LogRecord } from './record.ts'

const record = (partition: number, offset: number, timestamp: number, text = 'x'): LogRecord => ({
  topic: 't',
  partition,
  offset: String(offset),
  key: 'k',
  value: Buffer.from(text),
  headers: {},
  timestamp,
})
const usual: CollectOptions = {
  matches: () => true,
  limit: 3,
  which: 'first',
  maxScanned: 100,
  maxBytes: 1_000,
}
const offsets = (records: readonly LogRecord[]) => records.map((r) => `${r.partition}@${r.offset}`)

test('the first that match are enough', () => {
  const found = collector({ ...usual, matches: ({ offset }) => Number(offset) % 2 === 0 })
  for (let offset = 0; !found.enough; offset++) found.take(record(0, offset, offset))
  expect(offsets(found.records)).toEqual(['0@0', '0@2', '0@4'])
  expect(found.scanned).toBe(5)
})

test('the newest are the newest over all partitions, whichever comes first', () => {
  const found = collector({ ...usual, which: 'newest' })
  for (let n = 0; n < 40; n++) found.take(record(0, n, n))
  for (let n = 0; n < 40; n++) found.take(record(1, n, n - 2))
  expect(found.enough).toBe(false)
  expect(offsets(found.records)).toEqual(['1@39', '0@38', '0@39'].sort(byTime))
})

test('order within a partition is that of offsets, even where clocks went back', () => {
  const found = collector({ ...usual, limit: 2 })
  found.take(record(0, 7, 2_000))
  found.take(record(0, 8, 1_000))
  expect(offsets(found.records)).toEqual(['0@7', '0@8'])
})

test('reading ends at its bounds, of records and of bytes', () => {
  const nothing = collector({ ...usual, matches: () => false, maxScanned: 5 })
  for (let n = 0; n < 5; n++) nothing.take(record(0, n, n))
  expect(nothing).toMatchObject({ enough: true, scanned: 5, records: [] })
  const large = collector({ ...usual, maxBytes: 10 })
  large.take(record(0, 0, 0, 'x'.repeat(20)))
  expect(large.enough).toBe(true)
  const latest = collector({ ...usual, which: 'newest', maxBytes: 10 })
  for (let n = 0; n < 5; n++) latest.take(record(0, n, n, 'x'.repeat(6)))
  expect(offsets(latest.records)).toEqual(['0@4'])
})

function byTime(a: string, b: string): number {
  const time = (name: string) => Number(name.slice(2)) - (name.startsWith('1') ? 2 : 0)
  return time(a) - time(b)
}
