// gateway: frames in, chat.commands and presence.signals out; chat.events, chat.replies and presence.* in, frames out.
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { limits, topics } from '@klatsch/contracts'
import { kafkaEventBus } from '@klatsch/event-bus'
import {
  consumerHealth,
  endWhenStopped,
  every,
  faultBoard,
  faultyPublisher,
  haltRoute,
  httpServer,
  internalUrl,
  kafkaConnection,
  keysOf,
  listenForFaults,
  readConfig,
  runService,
  steadyClock,
  tokenVerifier,
} from '@klatsch/service-kit'
import { configSchema } from './config.ts'
import { createConnections } from './connections/connections.ts'
import { createHub } from './connections/hub.ts'
import { endOfTurn } from './connections/turn.ts'
import { endedSessions } from './domain/ended-sessions.ts'
import { rateLimiter } from './domain/rate-limiter.ts'
import { auditRoutes } from './inbound/audit.ts'
import { handleEvents } from './inbound/events.ts'
import { labRoutes } from './inbound/lab.ts'
import { pageOrProblem, pageRoutes } from './inbound/page.ts'
import { readRoutes } from './inbound/reads.ts'
import { acceptSockets } from './inbound/sockets.ts'
import { writeRoutes } from './inbound/writes.ts'
import { chatQueries } from './outbound/chat-queries.ts'
import { createCommands } from './outbound/commands.ts'
import { faultyQueries } from './outbound/faulty-queries.ts'
import { showMetrics } from './outbound/metrics.ts'
import { createRequests } from './outbound/requests.ts'
import { learnEndedSessions, ofLiveSessions } from './outbound/sessions.ts'
import { createPresence } from './presence/presence.ts'

const MAX_WAITING = 50_000
/** Longer than any access token is good for. */
const TOKEN_MS = 20 * 60_000
const MAX_ENDED = 200_000

await runService(
  'gateway',
  () => readConfig(configSchema, process.env),
  async (config, { log, use }) => {
    const instance = config.GATEWAY_INSTANCE ?? `gateway-${randomUUID().slice(0, 8)}`
    const { KLATSCH_BUGS: bugs } = config
    const warn = log.warn.bind(log)
    const faults = await use(faultBoard({ service: 'gateway', instance }))
    const wall = faults.clock.now
    const since = wall()
    const { now } = steadyClock
    const limiter = rateLimiter({ perSecond: config.COMMANDS_PER_SECOND, burst: config.COMMAND_BURST }, now)
    const ended = endedSessions({ ttlMs: TOKEN_MS, max: MAX_ENDED, now })
    const verify = ofLiveSessions(tokenVerifier(keysOf(config.CHAT_URL), wall), ended)
    const chat = await use(chatQueries(config.CHAT_URL, config.INTERNAL_TOKEN, warn))
    const queries = faultyQueries(chat, faults.point('gateway.query'))
    const bus = await use(
      kafkaEventBus({ ...kafkaConnection(config), clientId: instance, scheduler: faults.clock, log }),
    )
    const publisher = await use(bus.publisher())
    const requests = createRequests({ instance, timeoutMs: limits.commandMs, max: MAX_WAITING, now })
    const commands = createCommands({
      publisher: faultyPublisher(publisher, faults.point('gateway.command')),
      ...{ requests, instance, now: wall },
    })
    const presence = await use(
      createPresence({
        publisher,
        gateway: instance,
        scheduler: steadyClock,
        wall,
        followers: (subject) => hub.followers(subject),
        warn,
      }),
    )
    const atEndOfTurn = endOfTurn()
    const hub = await use(
      createHub({
        queries,
        scheduler: steadyClock,
        random: Math.random,
        ringBytes: config.RING_MB * 2 ** 20,
        warn,
        atEndOfTurn,
        bugs,
      }),
    )
    const sessionEnded = (user: string, session: string) => {
      ended.add(session)
      connections.endSession(user, session)
    }
    const deliver = faults.point('gateway.deliver')
    const handler = handleEvents(hub, requests, instance, presence, sessionEnded, deliver)
    const consumer = await use(
      bus.consume({
        group: instance,
        topics: [
          topics.events.name,
          topics.replies.name,
          topics.presenceEvents.name,
          topics.presenceAudiences.name,
        ],
        start: 'end',
        handler,
      }),
    )
    const random = Math.random
    const context = {
      hub,
      commands,
      verify,
      hasEnded: ended.has,
      limiter,
      presence,
      scheduler: steadyClock,
      wall,
      random,
      newSessionId: randomUUID,
      warn,
      bugs,
    }
    const connections = createConnections(context, atEndOfTurn)
    showMetrics({ hub, connections, requests, presence, lag: () => consumer.lag })
    await use(every(1_000, requests.expire))
    await use(endWhenStopped(consumer))
    let informed = false
    const server = await use(
      httpServer({
        host: config.HOST,
        port: config.PORT,
        opsPort: config.OPS_PORT,
        reusePort: config.REUSE_PORT,
        log,
        health: {
          kafka: () => consumerHealth(consumer),
          sessions: () => ({ ok: informed }),
        },
        ownRoutes: (app) => config.LAB_ENABLED && haltRoute(app, faults, config.INTERNAL_TOKEN),
        routes: async (app) => {
          auditRoutes(app, hub.counts, since)
          writeRoutes(app, { commands, queries, verify, limiter })
          await readRoutes(app, {
            chatUrl: config.CHAT_URL,
            internalToken: config.INTERNAL_TOKEN,
            trustProxy: config.TRUST_PROXY,
          })
          const { LAB_ENABLED: lab, LAB_URL: labUrl } = config
          if (lab && labUrl) await use(labRoutes(app, { labUrl, verify }))
          if (config.PAGE_DIR) await pageRoutes(app, resolve(config.PAGE_DIR))
        },
        ...(config.PAGE_DIR ? { notFound: pageOrProblem } : {}),
      }),
    )
    let draining = false
    // Whoever reached a port that was let go is served, and asked to go elsewhere like everyone.
    const open = () => config.OPS_PORT !== undefined || !draining
    const ready = () => informed && open()
    await use(
      acceptSockets({
        server: server.app.server,
        connections,
        allowedOrigins: config.ALLOWED_ORIGINS,
        ready,
        warn,
      }),
    )
    await use({
      async close(hurry) {
        draining = true
        await server.retire()
        presence.handOver()
        await connections.drain(config.DRAIN_MS, hurry)
      },
    })
    if (config.LAB_ENABLED) {
      const debug = log.debug.bind(log)
      await use(listenForFaults({ board: faults, bus, publisher, url: internalUrl(config), debug }))
    }
    await consumer.ready
    // From its position on it hears of those that end; those before it must be asked for.
    await learnEndedSessions(ended, chat.endedSessions, { scheduler: steadyClock, random, warn })
    informed = true
    await server.open()
    log.info({ instance, port: server.port }, 'taking sockets')
  },
  ({ DRAIN_MS }) => 2 * DRAIN_MS,
)
