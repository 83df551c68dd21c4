import { emptyTip, KlatschError, limits, type StreamTip, topics, userSubject } from '@klatsch/contracts'
import type { Consumer } from '@klatsch/event-bus'
import { createConnections } from '@klatsch/gateway/src/connections/connections.ts'
import { createHub } from '@klatsch/gateway/src/connections/hub.ts'
import type { ChatQueries, StreamsQuestion } from '@klatsch/gateway/src/connections/queries.ts'
import { endOfTurn } from '@klatsch/gateway/src/connections/turn.ts'
import { rateLimiter } from '@klatsch/gateway/src/domain/rate-limiter.ts'
import { handleEvents } from '@klatsch/gateway/src/inbound/events.ts'
import { createCommands } from '@klatsch/gateway/src/outbound/commands.ts'
import { createRequests } from '@klatsch/gateway/src/outbound/requests.ts'
import { createPresence } from '@klatsch/gateway/src/presence/presence.ts'
import type { SimulatedProcess } from '@klatsch/streams/simulation'
import { call, type Surroundings } from './calls.ts'
import type { Host } from './wire.ts'

export interface GatewayProcess extends Host {
  readonly consumer: Consumer
  /** Tells everyone to go elsewhere, closes all within so long, and has its last say. */
  shutDown(withinMs: number): Promise<void>
}

function queriesOf(world: Surroundings, process: SimulatedProcess): ChatQueries {
  const { store } = world
  const away = () => new KlatschError('server.unavailable')
  const headOf = (subject: string): StreamTip => {
    const head = store.heads.get(subject)
    return head ? { ...head, time: new Date(head.time).toISOString() } : emptyTip
  }
  const readable = ({ user, follow }: StreamsQuestion) => {
    const rooms = [...store.members.keys()]
      .map((key) => key.split(' ') as [string, string])
      .filter(([, member]) => member === user)
    return [userSubject(user), ...rooms.map(([room]) => room)]
      .filter((subject) => follow === 'all' || follow.includes(subject))
      .map((subject) => ({ subject, first: 1, head: headOf(subject) }))
  }
  return {
    streams: (questions) => call(world, process, away, () => questions.map(readable)),
    heads: (subjects) =>
      call(world, process, away, () =>
        Object.fromEntries(subjects.map((subject) => [subject, headOf(subject)])),
      ),
    events: (pages) =>
      call(world, process, away, () =>
        pages.map(({ subject, after, limit }) => ({
          items: (store.events.get(subject) ?? []).slice(after, after + limit).map((event) => event.bytes),
          head: headOf(subject),
        })),
      ),
  }
}

/** A gateway process: the real delivery engine. A token is the user's id; accounts are not what is simulated. */
export async function startGateway(world: Surroundings, name: string): Promise<GatewayProcess> {
  const { sim, bugs } = world
  const process = sim.process(name)
  const bus = world.bus.client(process)
  const publisher = await bus.publisher()
  const queries = queriesOf(world, process)
  const requests = createRequests({
    instance: name,
    timeoutMs: limits.commandMs,
    max: 10_000,
    now: process.now,
  })
  const warn = () => {}
  const presence = createPresence({
    publisher,
    gateway: name,
    scheduler: process,
    followers: (subject) => hub.followers(subject),
    warn,
  })
  const atEndOfTurn = endOfTurn((run) => void process.after(0, run))
  const hub = createHub({
    queries,
    scheduler: process,
    random: sim.random,
    ringBytes: 50_000,
    warn,
    atEndOfTurn,
    bugs,
  })
  const consumer = await bus.consume({
    group: name,
    topics: [
      topics.events.name,
      topics.replies.name,
      topics.presenceEvents.name,
      topics.presenceAudiences.name,
    ],
    start: 'end',
    handler: handleEvents(hub, requests, name, presence),
  })
  const commands = createCommands({ publisher, requests, instance: name, now: process.now })
  let sessions = 0
  const connections = createConnections(
    {
      hub,
      commands,
      presence,
      verify: async (token) => ({
        id: token,
        session: token,
        username: token,
        displayName: token,
        guest: false,
        admin: false,
        expiresAt: Number.POSITIVE_INFINITY,
      }),
      limiter: rateLimiter({ perSecond: 1_000, burst: 1_000 }, process.now),
      scheduler: process,
      random: sim.random,
      newSessionId: () => `${name}-${sessions++}`,
      warn,
      bugs,
    },
    atEndOfTurn,
  )
  const expire = () => {
    requests.expire()
    process.after(1_000, expire)
  }
  expire()
  return {
    process,
    consumer,
    async shutDown(withinMs) {
      presence.handOver()
      await connections.drain(withinMs)
      await presence.close()
    },
    accept(transport) {
      const connection = connections.add(transport)
      return {
        receive: (text) => connection.receive(text),
        drained: () => connection.drained(),
        gone: () => connections.remove(connection),
      }
    },
  }
}
