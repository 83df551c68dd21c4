import { KlatschError } from '@klatsch/contracts'
import { ensureTopics, inspectTopics, type KafkaSettings } from '@klatsch/event-bus'

const DAY_MS = 86_400_000

/** Makes a topic for copies, kept for a day, with as many partitions as another has; leaves one that is there alone. */
export function topicMaker(kafka: KafkaSettings) {
  return async (name: string, like: string): Promise<void> => {
    try {
      const [report] = await inspectTopics(kafka, [like])
      const partitions = report!.partitions.length
      const topic = {
        name,
        key: '',
        producers: [],
        consumers: [],
        partitions,
        retentionMs: DAY_MS,
        describe: '',
      }
      await ensureTopics(kafka, { replication: 1, topics: [topic] })
    } catch (cause) {
      const detail = `the topic ${name} cannot be used: ${cause instanceof Error ? cause.message : cause}`
      throw new KlatschError('request.invalid', detail, { cause })
    }
  }
}
