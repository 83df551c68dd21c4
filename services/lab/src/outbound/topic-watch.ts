import { KlatschError, type LabTopic, topics as registry } from '@klatsch/contracts'
import { inspectTopics, type KafkaSettings, listTopics } from '@klatsch/event-bus'
import { topicRates } from '../domain/rates.ts'

export interface TopicWatch {
  /** All topics as they are now. @throws KlatschError `server.unavailable` */
  look(): Promise<LabTopic[]>
}

const descriptions = new Map<string, string>(
  Object.values(registry).map(({ name, describe }) => [name, describe]),
)

/** Looks at all topics of the broker; called now and then, it knows their rates, too. */
export function topicWatch(kafka: KafkaSettings, now: () => number): TopicWatch {
  const rates = topicRates()
  return {
    async look() {
      try {
        const reports = await inspectTopics(kafka, await listTopics(kafka))
        const counts = (from: 'begin' | 'end') =>
          new Map(
            reports.map(({ topic, partitions }) => [
              topic,
              partitions.reduce((sum, each) => sum + Number(each[from]), 0),
            ]),
          )
        const [begins, ends] = [counts('begin'), counts('end')]
        rates.add(now(), ends)
        return reports.map(({ topic, partitions, groups }) => {
          const perSecond = rates.perSecond(topic)
          return {
            topic,
            describe: descriptions.get(topic) ?? '',
            records: (ends.get(topic) ?? 0) - (begins.get(topic) ?? 0),
            ...(perSecond === undefined ? {} : { perSecond }),
            partitions: [...partitions],
            groups: [...groups],
          }
        })
      } catch (cause) {
        if (cause instanceof KlatschError) throw cause
        throw new KlatschError('server.unavailable', 'Kafka does not answer', { cause, retryAfterMs: 1_000 })
      }
    },
  }
}
