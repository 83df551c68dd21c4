import { dlqOf, topics as registry, type Topic } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import type { ITopicConfig, ITopicMetadata } from 'kafkajs'
import { type AdminHandle, adminHandle } from './admin.ts'
import type { KafkaSettings } from './client.ts'

const DEAD_LETTER_BYTES = 1_048_588 + 65_536
const LEADERS_MS = 30_000
const POLL_MS = 50

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
      const create = createTopics(
        handle,
        missing.map((topic) => ({
          topic: topic.name,
          numPartitions: topic.partitions,
          replicationFactor: replication,
          configEntries: topicConfig(topic, replication),
        })),
      )
      await create.catch(async (error: unknown) => {
        // Somebody else may have been a moment faster.
        if ((await missingNow()).length > 0) throw error
      })
    }
    const found = await ledTopics(
      handle,
      topics.map(({ name }) => name),
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

/** Makes topics; resolves once each partition has a leader. */
export async function createTopics(handle: AdminHandle, topics: ITopicConfig[]): Promise<void> {
  // kafkajs's own waiting gives up when the broker does not know the topic yet, as it may for a moment.
  await handle.run((admin) => admin.createTopics({ waitForLeaders: false, topics }))
  await ledTopics(
    handle,
    topics.map(({ topic }) => topic),
  )
}

/** What is known of the topics once each partition has a leader. Rejects with the last fault after 30 s without. */
async function ledTopics(handle: AdminHandle, topics: string[]): Promise<ITopicMetadata[]> {
  const until = systemScheduler.now() + LEADERS_MS
  for (;;) {
    let fault: unknown = new Error('a partition has no leader')
    try {
      const { topics: found } = await handle.run((admin) => admin.fetchTopicMetadata({ topics }))
      if (found.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return found
    } catch (error) {
      fault = error
    }
    if (systemScheduler.now() > until) throw fault
    await pause(systemScheduler, POLL_MS)
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
