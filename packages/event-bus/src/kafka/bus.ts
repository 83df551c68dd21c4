import { type Bugs, noBugs } from '@klatsch/contracts'
import { type Scheduler, systemScheduler } from '@klatsch/streams'
import { groupConsumer } from '../shared/consumer.ts'
import { batchingPublisher } from '../shared/publisher.ts'
import { partitioner } from '../shared/transport.ts'
import type { Consumer, EventBus, Publisher } from '../types.ts'
import { adminHandle, logQueries } from './admin.ts'
import type { KafkaSettings } from './client.ts'
import { kafkaTransport } from './publisher.ts'
import { kafkaSession } from './session.ts'

export interface KafkaBusOptions extends KafkaSettings {
  readonly scheduler?: Scheduler
  readonly random?: () => number
  /** Deliberate ones of its publishers. */
  readonly bugs?: Bugs
}

/**
 * The bus over Apache Kafka. It opens connections when first needed and keeps trying: a broker that is away shows in
 * the consumers' states and in `server.unavailable`, not in an exception here.
 */
export function kafkaEventBus(options: KafkaBusOptions): EventBus {
  const { scheduler = systemScheduler, random = Math.random, bugs = noBugs, ...settings } = options
  const admin = adminHandle(settings)
  const consumers: Consumer[] = []
  const publishers: Publisher[] = []
  return {
    async publisher(publisherOptions = {}) {
      const transport = kafkaTransport(settings, admin, partitioner(random, bugs))
      const publisher = batchingPublisher(publisherOptions, {
        transport,
        scheduler,
        random,
        log: settings.log,
        bugs,
      })
      publishers.push(publisher)
      return publisher
    },
    async consume(consumerOptions) {
      const { group } = consumerOptions
      const consumer = groupConsumer(consumerOptions, {
        queries: logQueries(admin),
        connect: (events, topics) => kafkaSession({ settings, group, topics, scheduler, random }, events),
        scheduler,
        random,
        log: settings.log,
      })
      consumers.push(consumer)
      return consumer
    },
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.close()))
      await Promise.all(publishers.map((publisher) => publisher.close()))
      await admin.close()
    },
  }
}
