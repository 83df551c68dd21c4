import { createHash } from 'node:crypto'
import type { Bugs as ChatBugs } from '@klatsch/chat/src/domain/bugs.ts'
import type { CommandStore } from '@klatsch/chat/src/domain/command-store.ts'
import { consumeCommands } from '@klatsch/chat/src/inbound/commands.ts'
import { commandProcessor } from '@klatsch/chat/src/inbound/processor.ts'
import type { MemoryStore } from '@klatsch/chat/src/outbound/memory-store.ts'
import { emptyTip, KlatschError, limits, type StreamTip, topics, userSubject } from '@klatsch/contracts'
import { attemptLog, type Consumer, type MemoryEventBus, PassingFault } from '@klatsch/event-bus'
import { createConnections } from '@klatsch/gateway/src/connections/connections.ts'
import { createHub } from '@klatsch/gateway/src/connections/hub.ts'
import type { ChatQueries, StreamsQuestion } from '@klatsch/gateway/src/connections/queries.ts'
import { endOfTurn } from '@klatsch/gateway/src/connections/turn.ts'
import type { Bugs as GatewayBugs } from '@klatsch/gateway/src/domain/bugs.ts'
import { rateLimiter } from '@klatsch/gateway/src/domain/rate-limiter.ts'
import { handleEvents } from '@klatsch/gateway/src/inbound/events.ts'
import { createCommands } from '@klatsch/gateway/src/outbound/commands.ts'
import { createRequests } from '@klatsch/gateway/src/outbound/requests.ts'
import type { SimulatedProcess, Simulation } from '@klatsch/streams/simulation'
import type { Host } from './wire.ts'

/** Chances of what can go wrong with a call, changed while the world runs. */
export interface CallFaults {
  /** The call never gets there. */
  refused: number
  /** It is done, and the answer is lost. */
  answerLost: number
}

export interface Surroundings {
  readonly sim: Simulation
  readonly bus: MemoryEventBus
  readonly store: MemoryStore
  readonly faults: CallFaults
}

/** A call to something else: takes time there and back, and a process killed meanwhile never hears of it. */
async function call<T>(
  { sim, faults }: Surroundings,
  process: SimulatedProcess,
  fault: () => Error,
  work: () => Promise<T> | T,
): Promise<T> {
  const hop = () => new Promise<void>((resolve) => void process.after(sim.random() * 5, resolve))
  await hop()
  if (sim.random() < faults.refused) throw fault()
  const answer = await work()
  await hop()
  if (sim.random() < faults.answerLost) throw fault()
  return answer
}

export interface ChatProcess {
  readonly process: SimulatedProcess
  readonly consumer: Consumer
}

/** A chat process: the real processor over a record that every call reaches late, or not, or whose answer is lost. */
export async function startChat(world: Surroundings, name: string, bugs: ChatBugs): Promise<ChatProcess> {
  const { sim, store } = world
  const process = sim.process(name)
  const bus = world.bus.client(process)
  const away = () => new PassingFault('the database is away')
  const far: CommandStore = {
    transact: (request, decide) => call(world, process, away, () => store.transact(request, decide)),
    markPublished: (ranges) => call(world, process, away, () => store.markPublished(ranges)),
    unpublished: (of, limit) => call(world, process, away, () => store.unpublished(of, limit)),
    claim: (outcome) => call(world, process, away, () => store.claim(outcome)),
  }
  let salts = 0
  const newSalt = () => createHash('sha256').update(`${name}${salts++}`).digest('base64url').slice(0, 22)
  const publisher = await bus.publisher()
  const deadLetters = await bus.publisher()
  const processor = commandProcessor({ store: far, publisher, now: process.now, newSalt, bugs })
  const attempts = attemptLog(deadLetters, { scheduler: process })
  return { process, consumer: await consumeCommands(bus, processor, deadLetters, attempts, () => {}, bugs) }
}

export interface GatewayProcess extends Host {
  readonly consumer: Consumer
  /** Tells everyone to go elsewhere, then closes all within so long. */
  drain(withinMs: number): Promise<void>
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
export async function startGateway(
  world: Surroundings,
  name: string,
  bugs: GatewayBugs,
): Promise<GatewayProcess> {
  const { sim } = world
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
  const atEndOfTurn = endOfTurn((run) => void process.after(0, run))
  const hub = createHub({
    queries,
    scheduler: process,
    random: sim.random,
    ringBytes: 50_000,
    warn() {},
    atEndOfTurn,
    bugs,
  })
  const consumer = await bus.consume({
    group: name,
    topics: [topics.events.name, topics.replies.name],
    start: 'end',
    handler: handleEvents(hub, requests, name),
  })
  const commands = createCommands({ publisher, requests, instance: name, now: process.now })
  let sessions = 0
  const connections = createConnections(
    {
      hub,
      commands,
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
      warn() {},
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
    drain: (withinMs) => connections.drain(withinMs),
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
