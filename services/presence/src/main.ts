// presence: presence.signals in, who is here kept in memory, presence.events out.
import { randomUUID } from 'node:crypto'
import { presenceTimes, topics } from '@klatsch/contracts'
import { attemptLog, kafkaEventBus } from '@klatsch/event-bus'
import {
  consumerHealth,
  endWhenStopped,
  faultBoard,
  faultyHandler,
  haltRoute,
  httpServer,
  internalUrl,
  kafkaConnection,
  listenForFaults,
  readConfig,
  runService,
} from '@klatsch/service-kit'
import { configSchema } from './config.ts'
import { Memory } from './domain/memory.ts'
import { latestSignals } from './inbound/latest.ts'
import { learnSeen } from './inbound/seen.ts'
import { signalProcessor } from './inbound/signals.ts'
import { showMetrics } from './outbound/metrics.ts'

await runService(
  'presence',
  () => readConfig(configSchema, process.env),
  async (config, { log, use }) => {
    const faults = await use(faultBoard({ service: 'presence' }))
    const { clock } = faults
    const kafka = { ...kafkaConnection(config), clientId: 'presence', log }
    const bus = await use(kafkaEventBus({ ...kafka, scheduler: clock }))
    const publisher = await use(bus.publisher())
    const attempts = await use(attemptLog(await use(bus.publisher()), { scheduler: clock }))
    const memory = new Memory()
    const processor = signalProcessor(publisher, memory, latestSignals(kafka, clock.now), config.KLATSCH_BUGS)
    const seen = await use(
      bus.consume({
        // A group of its own, without a position: every instance reads all of it.
        group: `presence-seen-${randomUUID()}`,
        topics: [topics.presenceSeen.name],
        start: 'committed',
        handler: learnSeen(memory),
      }),
    )
    const consumer = await use(
      bus.consume({
        group: 'presence',
        topics: [topics.presenceSignals.name],
        start: 'committed',
        deadLetters: publisher,
        attempts,
        onDeadLetter: async ({ record }) => processor.buried(record),
        onAssigned: (_topic, partition, signal) => processor.assigned(partition, signal),
        handler: faultyHandler(processor.handle, faults.point('presence.lease')),
        idle: {
          everyMs: presenceTimes.tickMs,
          run: (_topic, partition) => processor.keepTime(partition),
        },
      }),
    )
    showMetrics(processor, memory, () => consumer.lag)
    await use(endWhenStopped(consumer))
    await use(endWhenStopped(seen))
    const server = await use(
      httpServer({
        host: config.HOST,
        port: config.PORT,
        opsPort: config.OPS_PORT,
        reusePort: config.REUSE_PORT,
        log,
        health: { signals: () => consumerHealth(consumer), seen: () => consumerHealth(seen) },
        ownRoutes: (app) =>
          config.INTERNAL_TOKEN && config.LAB_ENABLED && haltRoute(app, faults, config.INTERNAL_TOKEN),
        routes: () => {},
      }),
    )
    if (config.LAB_ENABLED) {
      const debug = log.debug.bind(log)
      await use(listenForFaults({ board: faults, bus, publisher, url: internalUrl(config), debug }))
    }
    await consumer.ready
    await server.open()
  },
)
