import { presenceTimes, topics } from '@klatsch/contracts'
import { type IncomingRecord, type KafkaSettings, readRange } from '@klatsch/event-bus'

/** Log time and the clock here may be apart by as much without harm. */
const SLACK_MS = 3_000
const READ_MS = 8_000

/**
 * Reads the latest records of a partition. Partitions asked for in one turn share one reading. When they cannot be
 * had, there are none: presence then waits out a lease instead.
 */
export function latestSignals(
  settings: KafkaSettings,
  now: () => number,
): (partition: number) => Promise<readonly IncomingRecord[]> {
  let reading: Promise<Map<number, IncomingRecord[]>> | undefined

  async function read(): Promise<Map<number, IncomingRecord[]>> {
    const found = new Map<number, IncomingRecord[]>()
    const topic = topics.presenceSignals.name
    const from = { kind: 'time', time: now() - presenceTimes.leaseMs - SLACK_MS } as const
    try {
      await readRange(settings, { topic, from, signal: AbortSignal.timeout(READ_MS) }, (record) => {
        const same = found.get(record.partition)
        if (same) same.push(record)
        else found.set(record.partition, [record])
      })
    } catch (err) {
      settings.log.warn({ err }, 'the latest signals cannot be read; waiting for news instead')
    }
    return found
  }

  return async (partition) => {
    if (!reading) {
      reading = read()
      setImmediate(() => {
        reading = undefined
      })
    }
    return (await reading).get(partition) ?? []
  }
}
