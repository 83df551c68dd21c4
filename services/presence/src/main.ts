// presence: presence.signals in, who is here kept in memory, presence.events out.
import { presenceTimes, topics } from '@klatsch/contracts'
import { kafkaEventBus } from '@klatsch/event-bus'
import {
  consumerHealth,
  endWhenStopped,
  httpServer,
  kafkaConnection,
  readConfig,
  runService,
} from '@klatsch/service-kit'
import { configSchema } from './config.ts'
import { latestSignals } from './inbound/latest.ts'
import { signalProcessor } from './inbound/signals.ts'
import { showMetrics } from './outbound/metrics.ts'

await runService(
  'presence',
  () => readConfig(configSchema, process.env),
  async (config, { log, use }) => {
    const kafka = { ...kafkaConnection(config), clientId: 'presence', log }
    const bus = await use(kafkaEventBus(kafka))
    const publisher = await use(bus.publisher())
    const processor = signalProcessor(publisher, latestSignals(kafka, Date.now))
    const consumer = await use(
      bus.consume({
        group: 'presence',
        topics: [topics.presenceSignals.name],
        start: 'committed',
        deadLetters: publisher,
        onDeadLetter: async ({ record }) => processor.buried(record),
        onAssigned: (_topic, partition, signal) => processor.assigned(partition, signal),
        handler: processor.handle,
        idle: {
          everyMs: presenceTimes.tickMs,
          run: (_topic, partition) => processor.keepTime(partition),
        },
      }),
    )
    showMetrics(processor, () => consumer.lag)
    await use(endWhenStopped(consumer))
    const { HOST: host, PORT: port } = config
    await use(
      httpServer({ host, port, log, health: { kafka: () => consumerHealth(consumer) }, routes: () => {} }),
    )
    await consumer.ready
  },
)
