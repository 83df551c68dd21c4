import type { Admin } from 'kafkajs'
import { type KafkaSettings, kafkaClient, within } from './client.ts'

const ADMIN_TIMEOUT_MS = 10_000

/** First offset kept and the offset the next record will get. */
export interface OffsetRange {
  readonly begin: bigint
  readonly end: bigint
}

/** One shared admin connection, opened when first used and opened anew after a fault. */
export interface AdminHandle {
  /** Rejects with the admin's error or after 10 s; the next call starts with a fresh connection then. */
  run<T>(work: (admin: Admin) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export function adminHandle(settings: KafkaSettings): AdminHandle {
  let current: Promise<{ admin: Admin; end: () => Promise<void> }> | undefined

  async function open() {
    const client = kafkaClient(settings)
    const admin = client.kafka.admin()
    const end = () => client.end(admin.disconnect(), 2_000)
    try {
      await admin.connect()
    } catch (error) {
      await end()
      throw error
    }
    return { admin, end }
  }

  return {
    async run(work) {
      current ??= open()
      const mine = current
      try {
        return await within(
          ADMIN_TIMEOUT_MS,
          'a question to the broker',
          mine.then(({ admin }) => work(admin)),
        )
      } catch (error) {
        if (current === mine) {
          current = undefined
          mine.then(({ end }) => end()).catch(() => {})
        }
        throw error
      }
    },
    async close() {
      const last = current
      current = undefined
      if (last) await last.then(({ end }) => end()).catch(() => {})
    },
  }
}

/** Begin and end of each partition of a topic, by partition. */
export async function offsetRanges(admin: AdminHandle, topic: string): Promise<Map<number, OffsetRange>> {
  const offsets = await admin.run((a) => a.fetchTopicOffsets(topic))
  return new Map(offsets.map((o) => [o.partition, { begin: BigInt(o.low), end: BigInt(o.high) }]))
}

/** Committed offsets of a group in one topic, by partition; partitions without one are missing. */
export async function committedOffsets(
  admin: AdminHandle,
  group: string,
  topic: string,
): Promise<Map<number, bigint>> {
  const answer = await admin.run((a) => a.fetchOffsets({ groupId: group, topics: [topic] }))
  const found = new Map<number, bigint>()
  for (const { partitions } of answer) {
    for (const { partition, offset } of partitions) {
      if (BigInt(offset) >= 0n) found.set(partition, BigInt(offset))
    }
  }
  return found
}
