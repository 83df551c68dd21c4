import { type LogPosition, streamEventSchema, topics } from '@klatsch/contracts'
import { kafkaSettingsFromEnv, readRange } from '@klatsch/event-bus'
import type { Read } from '../judge/history.ts'
import { readOf } from './recorder.ts'

const READ_MS = 60_000

/** How the log is reached from here. */
export const settingsOf = (brokers: string) =>
  kafkaSettingsFromEnv({ KAFKA_BROKERS: brokers }, 'klatsch-drill')

/** Where the events' topic ends now. */
export async function endOfLog(brokers: string): Promise<LogPosition> {
  const where = { topic: topics.events.name, from: { kind: 'end' } } as const
  const { offsets } = await readRange(settingsOf(brokers), where, () => {})
  return { kind: 'offsets', offsets }
}

/**
 * What the log carries of these rooms from there on, as who reads its partitions one after the other sees it: what came again is dropped.
 */
export async function readLog(brokers: string, from: LogPosition, rooms: readonly string[]): Promise<Read[]> {
  const wanted = new Set(rooms)
  const records: { readonly partition: number; readonly offset: bigint; readonly read: Read }[] = []
  const { complete } = await readRange(
    settingsOf(brokers),
    { topic: topics.events.name, from, signal: AbortSignal.timeout(READ_MS) },
    ({ topic, key, value, partition, offset, timestamp }) => {
      if (!wanted.has(key)) return
      const event = streamEventSchema.parse(JSON.parse(value.toString()))
      const at = `${topic}[${partition}]@${offset} of ${new Date(timestamp).toISOString()}`
      records.push({ partition, offset: BigInt(offset), read: { ...readOf('log', event), at } })
    },
  )
  if (!complete) throw new Error(`the log could not be read within ${READ_MS / 1_000} s`)
  records.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
  return withoutRepeats(records.map(({ read }) => read))
}

/** A record may be there more than once. By its chain: what was decided twice is not the same event. */
export function withoutRepeats(reads: readonly Read[]): Read[] {
  const known = new Set<string>()
  return reads.filter(({ room, seq, chain }) => {
    const place = `${room} ${seq} ${chain}`
    const isNew = !known.has(place)
    known.add(place)
    return isNew
  })
}
