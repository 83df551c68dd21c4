// chat: chat.commands in, decisions in Postgres, chat.events and chat.replies out; accounts and reads over HTTP.
import { randomBytes } from 'node:crypto'
import { attemptLog, kafkaEventBus } from '@klatsch/event-bus'
import {
  consumerHealth,
  endWhenStopped,
  every,
  faultBoard,
  faultyHandler,
  faultyPublisher,
  haltRoute,
  httpServer,
  internalUrl,
  kafkaConnection,
  listenForFaults,
  readConfig,
  runService,
} from '@klatsch/service-kit'
import { v7 } from 'uuid'
import { configSchema } from './config.ts'
import { consumeCommands } from './inbound/commands.ts'
import { faultyReads } from './inbound/http/faulty-reads.ts'
import { chatRoutes } from './inbound/http/routes.ts'
import { commandProcessor } from './inbound/processor.ts'
import { accessTokens } from './outbound/access-tokens.ts'
import { prismaAccounts } from './outbound/accounts.ts'
import { connectDatabase } from './outbound/database.ts'
import { chatMetrics } from './outbound/metrics.ts'
import { argonPasswords } from './outbound/passwords.ts'
import { prismaRooms } from './outbound/rooms.ts'
import { newSalt } from './outbound/salt.ts'
import { tellSessionEnds } from './outbound/session-ends.ts'
import { signingKeys } from './outbound/signing-keys.ts'
import { globalRoomWelcome } from './outbound/welcome.ts'

const HOUR_MS = 3_600_000
const SESSION_ENDS_MS = 3_000
const MARK_MS = 100
const newSecret = () => randomBytes(32).toString('base64url')

await runService(
  'chat',
  () => readConfig(configSchema, process.env),
  async (config, { log, use }) => {
    const onFault = (err: unknown) => log.warn({ err }, 'a fault in the background')
    const faults = await use(faultBoard({ service: 'chat' }))
    const { now } = faults.clock
    const { DATABASE_URL: url, DATABASE_SSL: ssl } = config
    const onIdleError = (err: Error) => log.debug({ err }, 'an idle connection to Postgres broke')
    const database = await use(connectDatabase({ url, ssl, onIdleError }))
    await database.awake()
    const { store, streams, commandRows, prisma } = database
    const onRevoked = () => ends.tell()
    const accounts = prismaAccounts({ prisma, now, newId: v7, newSecret, onRevoked })
    const keys = await signingKeys(prisma, new Date(now()))
    const tokens = accessTokens(keys, now, accounts.isAlive)
    await use(every(HOUR_MS, () => void accounts.forgetEnded().catch(onFault)))

    const bugs = config.KLATSCH_BUGS
    const bus = await use(
      kafkaEventBus({ ...kafkaConnection(config), clientId: 'chat', scheduler: faults.clock, log, bugs }),
    )
    const publisher = await use(bus.publisher())
    const ends = tellSessionEnds({ accounts, publisher, now, onFault })
    await use(every(SESSION_ENDS_MS, ends.tell))
    const deadLetters = await use(bus.publisher())
    const attempts = await use(attemptLog(deadLetters, { scheduler: faults.clock }))
    const metrics = chatMetrics(() => consumer.lag)
    const processor = commandProcessor({
      ...{ store, now, newSalt, bugs },
      publisher: faultyPublisher(publisher, faults.point('chat.publish')),
      onBatch: metrics.batch,
      faults: { persist: faults.point('chat.persist'), persisted: faults.point('chat.persisted') },
    })
    const mark = () => processor.markPublished().catch(onFault)
    await use({ close: mark })
    await use(every(MARK_MS, () => void mark()))
    const handle = faultyHandler(processor.handle, faults.point('chat.consume'))
    const consumer = await use(
      await consumeCommands(bus, { ...processor, handle }, deadLetters, attempts, metrics.held, bugs),
    )
    await use(endWhenStopped(consumer))

    const welcome = globalRoomWelcome({ prisma, publisher, now, onFault })
    const perMinute = (attempts: number) => ({ perMinute: attempts, burst: attempts })
    const server = await use(
      httpServer({
        host: config.HOST,
        port: config.PORT,
        opsPort: config.OPS_PORT,
        reusePort: config.REUSE_PORT,
        log,
        health: {
          kafka: () => consumerHealth(consumer),
          postgres: () => database.ping().then(() => ({ ok: true })),
        },
        ownRoutes: (app) => config.LAB_ENABLED && haltRoute(app, faults, config.INTERNAL_TOKEN),
        routes: (app) => {
          faultyReads(app, faults.point('chat.query'))
          chatRoutes(app, {
            ...{ accounts, tokens, keys, store, streams, commandRows, welcome, now },
            rooms: prismaRooms(prisma),
            passwords: argonPasswords(),
            internalToken: config.INTERNAL_TOKEN,
            adminUsername: config.ADMIN_USERNAME,
            passwordRate: perMinute(config.PASSWORDS_PER_MINUTE),
            guestRate: perMinute(config.GUESTS_PER_MINUTE),
          })
        },
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
