import { type LogPosition, streamEventSchema, topics } from '@klatsch/contracts'
import { kafkaSettingsFromEnv, readRange } from '@klatsch/event-bus'
import type { Read } from '../judge/history.ts'
import { readOf } from './recorder.ts'

const READ_MS = 60_000

const settingsOf = (brokers: string) => kafkaSettingsFromEnv({ KAFKA_BROKERS: brokers }, 'klatsch-drill')

/** Where the events' topic ends now. */
export async function endOfLog(brokers: string): Promise<LogPosition> {
  const where = { topic: topics.events.name, from: { kind: 'end' } } as const
  const { offsets } = await readRange(settingsOf(brokers), where, () => {})
  return { kind: 'offsets', offsets }
}

/**
 * What the log carries of these rooms from there on, as who reads its partitions one after the other sees it: what came again is dropped,
 * since a record may be there more than once.
 */
export async function readLog(brokers: string, from: LogPosition, rooms: readonly string[]): Promise<Read[]> {
  const wanted = new Set(rooms)
  const records: { readonly partition: number; readonly offset: bigint; readonly read: Read }[] = []
  const { complete } = await readRange(
    settingsOf(brokers),
    { topic: topics.events.name, from, signal: AbortSignal.timeout(READ_MS) },
    ({ key, value, partition, offset }) => {
      if (!wanted.has(key)) return
      const event = streamEventSchema.parse(JSON.parse(value.toString()))
      records.push({ partition, offset: BigInt(offset), read: readOf('log', event) })
    },
  )
  if (!complete) throw new Error(`the log could not be read within ${READ_MS / 1_000} s`)
  const known = new Set<string>()
  return records
    .sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
    .flatMap(({ read }) => {
      const place = `${read.room} ${read.seq} ${read.id}`
      if (known.has(place)) return []
      known.add(place)
      return [read]
    })
}
