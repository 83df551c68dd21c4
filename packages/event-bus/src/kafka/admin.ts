import { KlatschError } from '@klatsch/contracts'
import { systemScheduler } from '@klatsch/streams'
import type { Admin } from 'kafkajs'
import type { LogQueries } from '../shared/connection.ts'
import { within } from '../shared/within.ts'
import { type KafkaSettings, kafkaClient, rootCause } from './client.ts'

const ADMIN_TIMEOUT_MS = 10_000

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
          systemScheduler,
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

export function logQueries(admin: AdminHandle): LogQueries {
  return {
    async ranges(topic) {
      const offsets = await admin
        .run((a) => a.fetchTopicOffsets(topic))
        .catch((error: unknown) => {
          // kafkajs reads an offset out of an answer that has none for a topic whose leaders are not known yet.
          if (error instanceof TypeError) {
            throw new KlatschError('server.unavailable', `nobody leads ${topic} yet`, { cause: error })
          }
          if (rootCause(error).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
          throw new KlatschError('request.not_found', `there is no topic ${topic}`, { cause: error })
        })
      return new Map(offsets.map((o) => [o.partition, { begin: BigInt(o.low), end: BigInt(o.high) }]))
    },
    async committed(group, topic) {
      const answer = await admin.run((a) => a.fetchOffsets({ groupId: group, topics: [topic] }))
      const partitions = answer.flatMap((one) => one.partitions)
      return new Map(
        partitions.map((p) => [p.partition, BigInt(p.offset)] as const).filter(([, at]) => at >= 0n),
      )
    },
  }
}
