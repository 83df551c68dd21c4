// lab: looks at the log, follows commands, reads the dead letters, orders faults, for administrators, over HTTP.
import { randomInt } from 'node:crypto'
import { topics } from '@klatsch/contracts'
import { attemptLog, kafkaEventBus } from '@klatsch/event-bus'
import {
  consumerHealth,
  endWhenStopped,
  every,
  faultPoints,
  httpServer,
  kafkaConnection,
  keysOf,
  readConfig,
  runService,
  tokenVerifier,
} from '@klatsch/service-kit'
import { v4 } from 'uuid'
import { configSchema, programOf } from './config.ts'
import { deadLetterLook } from './inbound/dead-letters.ts'
import { drillRunner } from './inbound/drills.ts'
import { echo } from './inbound/echo.ts'
import { faultControl } from './inbound/faults.ts'
import { follower } from './inbound/follow.ts'
import { labRoutes } from './inbound/http/routes.ts'
import { jobRunner } from './inbound/jobs.ts'
import { resender } from './inbound/resend.ts'
import { postgresAudit } from './outbound/audit.ts'
import { chatQueries } from './outbound/chat-queries.ts'
import { labPool } from './outbound/database.ts'
import { faultOrders } from './outbound/fault-orders.ts'
import { postgresFaultRules } from './outbound/fault-rules.ts'
import { topicMaker } from './outbound/topic-maker.ts'
import { topicReader } from './outbound/topic-reader.ts'
import { topicWatch } from './outbound/topic-watch.ts'

const LOOK_MS = 5_000

await runService(
  'lab',
  () => readConfig(configSchema, process.env),
  async (config, { log, use }) => {
    const onIdleError = (err: Error) => log.debug({ err }, 'an idle connection to Postgres broke')
    const { DATABASE_URL: url, DATABASE_SSL: ssl } = config
    const pool = labPool({ url, ssl, onIdleError })
    await use({ close: () => pool.end() })
    const audit = postgresAudit(pool)
    await audit.write({ actor: 'system:lab', name: 'lab' }, 'lab.started', {})

    const kafka = { ...kafkaConnection(config), clientId: 'lab', log }
    const chat = await use(chatQueries(config.CHAT_URL, config.INTERNAL_TOKEN))
    const read = topicReader(kafka)
    const watch = topicWatch(kafka, Date.now)
    const onFault = (err: unknown) => log.debug({ err }, 'the topics could not be looked at')
    await use(every(LOOK_MS, () => void watch.look().catch(onFault)))

    const bus = await use(kafkaEventBus(kafka))
    const letterPublisher = await use(bus.publisher())
    const attempts = await use(attemptLog(letterPublisher))
    const echoPool = labPool({ url, ssl, onIdleError, max: 12 })
    await use({ close: () => echoPool.end() })
    const study = await use(echo({ bus, pool: echoPool, attempts, deadLetters: letterPublisher }))

    const faults = faultControl({
      points: Object.entries(faultPoints).map(([name, about]) => ({ name, ...about })),
      orders: faultOrders(await use(bus.publisher()), config.INTERNAL_TOKEN),
      rules: postgresFaultRules(pool),
      audit,
      now: Date.now,
      newId: v4,
      newSeed: () => randomInt(2 ** 32),
      warn: log.warn.bind(log),
    })
    await faults.recall()
    const deadLetters = deadLetterLook(read, chat)
    const jobs = await use(jobRunner({ publisher: await use(bus.publisher()), now: Date.now, newId: v4 }))
    const drills = await use(drillRunner({ program: programOf(config), now: Date.now, newId: v4 }))
    const makeTopic = topicMaker(kafka)
    const resend = resender({ deadLetters, read, jobs, audit, now: Date.now, makeTopic })
    const instances = await use(
      bus.consume({
        // A fresh group, without a position: who is here says so again in a few seconds.
        group: `lab-${v4()}`,
        topics: [topics.labInstances.name],
        start: 'end',
        handler: faults.heard,
      }),
    )
    await use(endWhenStopped(instances))

    const server = await use(
      httpServer({
        host: config.HOST,
        port: config.PORT,
        opsPort: config.OPS_PORT,
        reusePort: config.REUSE_PORT,
        log,
        health: {
          instances: () => consumerHealth(instances),
          postgres: () => pool.query('SELECT 1').then(() => ({ ok: true })),
        },
        routes: (app) =>
          labRoutes(app, {
            ...{ audit, faults, read, watch, now: Date.now },
            verify: tokenVerifier(keysOf(config.CHAT_URL), Date.now),
            follow: follower(read, chat, Date.now),
            ...{ deadLetters, drills, jobs, resend },
            echo: study,
          }),
      }),
    )
    await instances.ready
    await server.open()
  },
)
