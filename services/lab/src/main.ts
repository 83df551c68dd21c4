// lab: looks at the log, follows commands, and reads the dead letters, for administrators, over HTTP.

import { attemptLog, kafkaEventBus } from '@klatsch/event-bus'
import {
  every,
  httpServer,
  kafkaConnection,
  readConfig,
  runService,
  tokenVerifier,
} from '@klatsch/service-kit'
import { configSchema } from './config.ts'
import { deadLetterLook } from './inbound/dead-letters.ts'
import { echo } from './inbound/echo.ts'
import { follower } from './inbound/follow.ts'
import { labRoutes } from './inbound/http/routes.ts'
import { postgresAudit } from './outbound/audit.ts'
import { chatQueries } from './outbound/chat-queries.ts'
import { labPool } from './outbound/database.ts'
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
    const deadLetters = await use(bus.publisher())
    const attempts = await use(attemptLog(deadLetters))
    const echoPool = labPool({ url, ssl, onIdleError, max: 12 })
    await use({ close: () => echoPool.end() })
    const study = await use(echo({ bus, pool: echoPool, attempts, deadLetters }))

    const server = await use(
      httpServer({
        host: config.HOST,
        port: config.PORT,
        opsPort: config.OPS_PORT,
        reusePort: config.REUSE_PORT,
        log,
        health: { postgres: () => pool.query('SELECT 1').then(() => ({ ok: true })) },
        routes: (app) =>
          labRoutes(app, {
            ...{ audit, read, watch, now: Date.now },
            verify: tokenVerifier(config.CHAT_URL),
            follow: follower(read, chat),
            deadLetters: deadLetterLook(read, chat),
            echo: study,
          }),
      }),
    )
    await server.open()
  },
)
