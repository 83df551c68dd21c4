import { dlqOf, topics as registry, type Topic } from '@klatsch/contracts'
import { adminHandle } from './admin.ts'
import type { KafkaSettings } from './client.ts'

const DEAD_LETTER_BYTES = 1_048_588 + 65_536

/**
 * Makes the topics of the registry that are missing; resolves with their names. Rejects when one is there with another
 * number of partitions: order within a key rests on it, so it is never changed here.
 */
export async function ensureTopics(
  settings: KafkaSettings,
  { replication, topics = Object.values(registry) }: { replication: number; topics?: readonly Topic[] },
): Promise<string[]> {
  const handle = adminHandle(settings)
  try {
    const missingNow = async () => {
      const existing = new Set(await handle.run((admin) => admin.listTopics()))
      return topics.filter(({ name }) => !existing.has(name))
    }
    const missing = await missingNow()
    if (missing.length > 0) {
      const create = handle.run((admin) =>
        admin.createTopics({
          waitForLeaders: true,
          topics: missing.map((topic) => ({
            topic: topic.name,
            numPartitions: topic.partitions,
            replicationFactor: replication,
            configEntries: topicConfig(topic, replication),
          })),
        }),
      )
      await create.catch(async (error: unknown) => {
        // Somebody else may have been a moment faster.
        if ((await missingNow()).length > 0) throw error
      })
    }
    const { topics: found } = await handle.run((admin) =>
      admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) }),
    )
    for (const { name, partitions } of found) {
      const wanted = topics.find((topic) => topic.name === name)?.partitions
      if (wanted !== undefined && partitions.length !== wanted) {
        throw new Error(
          `the topic ${name} has ${partitions.length} partitions where ${wanted} are needed; ` +
            'a count is never changed in place, because keys would move: use another cluster or delete the topic',
        )
      }
    }
    return missing.map(({ name }) => name)
  } finally {
    await handle.close()
  }
}

function topicConfig(topic: Topic, replication: number): { name: string; value: string }[] {
  const config = [
    topic.retentionMs === 'compacted'
      ? { name: 'cleanup.policy', value: 'compact' }
      : { name: 'retention.ms', value: String(topic.retentionMs) },
    { name: 'message.timestamp.type', value: 'LogAppendTime' },
  ]
  // A dead letter is the record as it came and the reason beside it: it must fit where the record did.
  if (topic.name.endsWith(dlqOf('')))
    config.push({ name: 'max.message.bytes', value: String(DEAD_LETTER_BYTES) })
  if (replication >= 3) config.push({ name: 'min.insync.replicas', value: '2' })
  return config
}
