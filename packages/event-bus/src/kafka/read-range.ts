import { randomUUID } from 'node:crypto'
import type { LogPosition } from '@klatsch/contracts'
import { systemScheduler } from '@klatsch/streams'
import type { LogQueries, OffsetRange } from '../shared/connection.ts'
import type { IncomingRecord } from '../types.ts'
import { type AdminHandle, adminHandle, logQueries } from './admin.ts'
import type { KafkaSettings } from './client.ts'
import { kafkaSession } from './session.ts'

export interface RangeOptions {
  readonly topic: string
  /** Only this partition. */
  readonly partition?: number
  readonly from: LogPosition
  /** Up to and without this; by default the end as it is now, or for ever with `follow`. */
  readonly to?: LogPosition
  /** Goes on with what is appended later, until `to` or the signal. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
}

interface Span {
  at: bigint
  readonly until: bigint | undefined
}

/** Where reading ended in each partition, and whether that is where it was to end. */
export interface RangeEnd {
  readonly offsets: ReadonlyMap<number, string>
  readonly complete: boolean
}

/**
 * Reads a range of a topic, in order within a partition, without leaving a trace: the group it needs is made
 * for it, commits nothing and is deleted after. Rejects when the topic is not there or the broker cannot be reached.
 */
export async function readRange(
  settings: KafkaSettings,
  options: RangeOptions,
  onRecord: (record: IncomingRecord) => void,
): Promise<RangeEnd> {
  const admin = adminHandle(settings)
  const group = `klatsch-read-${randomUUID()}`
  try {
    const spans = await spansOf(admin, logQueries(admin), options)
    if (open(spans) > 0 && !options.signal?.aborted) {
      await readSpans(settings, group, options, spans, onRecord)
    }
    const offsets = new Map([...spans].map(([partition, { at }]) => [partition, String(at)]))
    return { offsets, complete: open(spans) === 0 }
  } finally {
    await admin.run((a) => a.deleteGroups([group])).catch(() => {})
    await admin.close()
  }
}

const open = (spans: Map<number, Span>): number =>
  [...spans.values()].filter(({ at, until }) => until === undefined || at < until).length

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)

function placeIn(
  position: Exclude<LogPosition, { kind: 'time' }>,
  partition: number,
  { begin, end }: OffsetRange,
): bigint {
  switch (position.kind) {
    case 'begin':
      return begin
    case 'end':
      return end
    case 'offset':
      return BigInt(position.offset)
    case 'last':
      return end - BigInt(position.count)
    case 'offsets':
      return BigInt(position.offsets.get(partition) ?? begin)
  }
}

async function spansOf(
  admin: AdminHandle,
  queries: LogQueries,
  { topic, partition, from, to, follow }: RangeOptions,
): Promise<Map<number, Span>> {
  const ranges = await queries.ranges(topic)
  if (partition !== undefined && !ranges.has(partition)) {
    throw new RangeError(`the topic ${topic} has no partition ${partition}, only 0 to ${ranges.size - 1}`)
  }

  const places = async (position: LogPosition): Promise<Map<number, bigint>> => {
    if (position.kind === 'time') {
      const found = await admin.run((a) => a.fetchTopicOffsetsByTimestamp(topic, position.time))
      return new Map(found.map((p) => [p.partition, BigInt(p.offset)]))
    }
    return new Map(
      [...ranges].map(([p, range]) => {
        return [p, larger(placeIn(position, p, range), range.begin)]
      }),
    )
  }

  const begins = await places(from)
  const ends = to ? await places(to) : undefined
  const spans = new Map<number, Span>()
  for (const [p, { begin, end }] of ranges) {
    if (partition !== undefined && p !== partition) continue
    const at = begins.get(p) ?? begin
    const limit = ends ? (ends.get(p) ?? end) : follow ? undefined : end
    // Without `follow`, what is not there yet is not waited for.
    const until = limit === undefined || follow ? limit : smaller(limit, end)
    // A position beyond the end would be out of range: what comes is read and passed by until then.
    spans.set(p, { at: smaller(at, end), until })
  }
  return spans
}

function readSpans(
  settings: KafkaSettings,
  group: string,
  { topic, from, signal }: RangeOptions,
  spans: Map<number, Span>,
  onRecord: (record: IncomingRecord) => void,
): Promise<void> {
  const first = from.kind === 'offset' ? BigInt(from.offset) : 0n
  const over = Promise.withResolvers<void>()
  const connection = kafkaSession(
    { settings, group, topics: [topic], scheduler: systemScheduler, random: Math.random },
    {
      beforeJoin: async () => {},
      joined(assignment) {
        for (const partition of assignment[topic] ?? []) {
          const span = spans.get(partition)
          if (!span || (span.until !== undefined && span.at >= span.until)) continue
          connection.fetchFrom({ topic, partition, offset: span.at })
          connection.resume(topic, partition)
        }
      },
      lost() {},
      fetched({ partition, records, next }) {
        const span = spans.get(partition)
        if (!span || signal?.aborted) return 'refused'
        for (const record of records) {
          const offset = BigInt(record.offset)
          if (offset < span.at || offset < first) continue
          if (span.until !== undefined && offset >= span.until) break
          if (signal?.aborted) return 'refused'
          onRecord(record)
          span.at = offset + 1n
        }
        if (signal?.aborted) return 'refused'
        span.at = next
        if (open(spans) === 0) over.resolve()
        return span.until !== undefined && next >= span.until ? 'full' : 'taken'
      },
      heartbeat() {},
      fault() {},
      fatal: (reason) => over.reject(new Error(reason)),
    },
  )
  const abort = () => over.resolve()
  signal?.addEventListener('abort', abort, { once: true })
  return over.promise.finally(async () => {
    signal?.removeEventListener('abort', abort)
    await connection.close()
  })
}
