import { bugsOf, type Bug as ChatBug } from '@klatsch/chat/src/domain/bugs.ts'
import { globalRoomRequest, makeGlobalRoom } from '@klatsch/chat/src/domain/global-room.ts'
import { outcomeKey } from '@klatsch/chat/src/domain/outcomes.ts'
import { memoryStore } from '@klatsch/chat/src/outbound/memory-store.ts'
import { type Client, createClient } from '@klatsch/client'
import {
  headers,
  type StreamEvent,
  streamEventSchema,
  topics,
  userSubject,
  verifyEvent,
} from '@klatsch/contracts'
import { check, type History, type Read, type Report, type Send } from '@klatsch/drills'
import { type IncomingRecord, memoryEventBus } from '@klatsch/event-bus'
import { noBugs } from '@klatsch/gateway/src/domain/bugs.ts'
import { type SimulatedProcess, simulatedScheduler } from '@klatsch/streams/simulation'
import {
  type ChatProcess,
  type GatewayProcess,
  type Surroundings,
  startChat,
  startGateway,
} from './services.ts'
import { switcher } from './switcher.ts'
import { type Wire, wire } from './wire.ts'

export type Bug = ChatBug | 'gap-fill-off'

const PEOPLE = 3
const ROOMS = 2
const SWITCHERS = 2
/** After the last disturbance, everyone must have everything within this much virtual time. */
const SETTLE_MS = 180_000

export interface Outcome {
  readonly report: Report
  readonly history: History
  /** What was done to the world, in order: to be read when it went wrong. */
  readonly story: readonly string[]
  /** Events that Postgres has and the log does not. */
  readonly unpublished: number
  /** Streams whose events are on the log in another order than theirs: by offset in one partition, repetitions apart. */
  readonly misordered: number
  /** Commands on the log that have no outcome. */
  readonly undecided: number
  /** Memberships on which a room and its member's own stream disagree. */
  readonly disagreements: number
  /** Rooms whose last digest does not say how far they are. */
  readonly staleDigests: number
  /** How often each thing was done to a socket. */
  readonly mishaps: Readonly<Record<Mishap, number>>
}

const MISHAPS = ['cut', 'cut', 'goaway', 'half-open', 'slow'] as const
type Mishap = (typeof MISHAPS)[number]

export interface WorldOptions {
  readonly bugs?: readonly Bug[]
  /** Mishaps of sockets at each step: cut, told to go elsewhere, silent or slow. */
  readonly cutting?: number
}

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

/**
 * The whole spine on one seed: real clients, gateways and chat processes over a log and a record in memory, where every
 * order is chance. People write while processes are killed, frozen and woken, partitions move, answers get lost, records
 * come twice or not at all; then it is left alone, and its whole history is judged.
 */
export async function runWorld(
  seed: number,
  steps: number,
  { bugs = [], cutting = 0 }: WorldOptions = {},
): Promise<Outcome> {
  const sim = simulatedScheduler(seed)
  const { random } = sim
  const chatBugs = bugsOf(bugs.filter((bug): bug is ChatBug => bug !== 'gap-fill-off'))
  const bus = memoryEventBus({ scheduler: sim, random, bugs: chatBugs })
  const store = memoryStore()
  const faults = { refused: 0, answerLost: 0 }
  const world: Surroundings = { sim, bus, store, faults }
  const gatewayBugs = { ...noBugs, gapFillOff: bugs.includes('gap-fill-off') }
  await store.transact(globalRoomRequest, (loaded) => makeGlobalRoom(loaded, sim.now(), () => 'salt'))

  const story: string[] = []
  const tell = (what: string) =>
    story.push(`${String(sim.now() - Date.UTC(2026, 0, 1)).padStart(7)} ms  ${what}`)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const done = async <T>(work: Promise<T>): Promise<T> => {
    let over = false
    const watched = work.finally(() => {
      over = true
    })
    watched.catch(() => {})
    if (!(await sim.runUntil(() => over, SETTLE_MS)))
      throw new Error(`stuck at ${story.at(-1)} (seed ${seed})`)
    return watched
  }

  const chats: ChatProcess[] = []
  const gateways: GatewayProcess[] = []
  const wires = new Set<Wire>()
  let named = 0
  const newChat = async () => {
    chats.push(await done(startChat(world, `chat-${++named}`, chatBugs)))
  }
  const newGateway = async () => {
    const gateway = await done(startGateway(world, `gateway-${++named}`, gatewayBugs))
    await done(gateway.consumer.ready)
    gateways.push(gateway)
  }
  await newChat()
  await newChat()
  await newGateway()
  await newGateway()

  const reads: Read[] = []
  const sends: Send[] = []
  const observers: { observer: string; room: string; from: number }[] = []
  const readOf = (observer: string, event: StreamEvent): Read => ({
    observer,
    room: event.subject,
    seq: event.seq,
    id: event.id,
    actor: event.actor,
    command: event.causationid,
    prevchain: event.prevchain,
    chain: event.chain,
    genuine: verifyEvent(event),
    ...(event.type === 'chat.message.sent.v1' ? { text: (event.data as { text: string }).text } : {}),
  })
  const eventsOf = (room: string): StreamEvent[] =>
    (store.events.get(room) ?? []).map((event) => streamEventSchema.parse(JSON.parse(event.bytes)))

  const dial = (process: SimulatedProcess): Wire => {
    const made = wire(process, pick(gateways), random)
    wires.add(made)
    return made
  }

  const people = Array.from({ length: PEOPLE }, (_, index) => {
    const id = idOf(index + 1)
    const process = sim.process(`person-${index + 1}`)
    const client = createClient({
      url: 'simulated',
      token: async () => id,
      scheduler: process,
      random,
      openSocket: () => dial(process).socket,
    })
    const last = new Map<string, number>()
    const see = (event: StreamEvent) => {
      if (!event.subject.startsWith('room:')) return
      last.set(event.subject, event.seq)
      reads.push(readOf(id, event))
    }
    client.on('event', see)
    // A page takes over HTTP what is before it was pushed anything, and what a reset passes by; here that is the record.
    const page = (subject: string, head: number) => {
      for (const event of eventsOf(subject).slice(last.get(subject) ?? 0, head)) see(event)
    }
    client.on('reset', ({ subject, head }) => page(subject, head))
    client.on('live', ({ subject, head }) => {
      if (!last.has(subject)) page(subject, head)
    })
    client.connect()
    return { id, client, order: 0 }
  })
  type Person = (typeof people)[number]

  const ids = commandIds(random, sim.now)
  const command = (client: Client, ...args: Parameters<Client['command']>) =>
    client.command(args[0], args[1], args[2], { id: ids() }).outcome

  const rooms: string[] = []
  for (let n = 0; n < ROOMS; n += 1) {
    const [owner, ...others] = people as [Person, ...Person[]]
    const { subject, seq: created } = await done(
      command(owner.client, 'chat.room.create.v1', undefined, { name: `room ${n}` }),
    )
    rooms.push(subject)
    observers.push({ observer: owner.id, room: subject, from: created + 1 })
    for (const other of others) {
      const { seq } = await done(command(other.client, 'chat.room.join.v1', subject, {}))
      observers.push({ observer: other.id, room: subject, from: seq })
    }
  }

  // Second devices, which look at one room and then at another.
  const switchers = people.slice(0, SWITCHERS).map(({ id }, index) => {
    const observer = `switcher-${index + 1}`
    for (const room of rooms) observers.push({ observer, room, from: 1 })
    return switcher({
      user: id,
      rooms,
      process: sim.process(observer),
      random,
      dial,
      page: (room, upTo) => eventsOf(room).slice(0, upTo),
      see: (event) => reads.push(readOf(observer, event)),
    })
  })

  // A room where people come and go: each time the room tells the user's own stream, by a follow-up nobody else repeats.
  const { subject: lobby } = await done(
    command(people[0]!.client, 'chat.room.create.v1', undefined, { name: 'lobby' }),
  )
  const comeOrGo = () => {
    const type = random() < 0.5 ? 'chat.room.join.v1' : 'chat.room.leave.v1'
    command(pick(people).client, type, lobby, {}).catch(() => {})
  }

  const write = () => {
    const person = pick(people)
    const room = pick(rooms)
    const text = `message ${sends.length}`
    const id = ids()
    const at = sends.length
    const send = {
      actor: userSubject(person.id),
      device: person.id,
      command: id,
      room,
      text,
      order: person.order++,
    }
    sends.push({ ...send, outcome: { kind: 'unknown' } })
    person.client.command('chat.message.send.v1', room, { text }, { id }).outcome.then(
      ({ seq }) => {
        sends[at] = { ...send, outcome: { kind: 'acked', seq } }
      },
      (error: { code: string }) => {
        sends[at] = { ...send, outcome: { kind: 'rejected', code: error.code } }
      },
    )
  }

  const mishaps: Record<Mishap, number> = { cut: 0, goaway: 0, 'half-open': 0, slow: 0 }
  const spoil = () => {
    const open = [...wires].filter((each) => each.open)
    if (open.length === 0) return
    const [one, mishap] = [pick(open), pick(MISHAPS)]
    mishaps[mishap] += 1
    if (mishap === 'cut') one.cut()
    else if (mishap === 'goaway') one.goAway(random() * 3_000)
    else if (mishap === 'half-open') one.mute()
    else one.slow(random() * 400)
  }
  /** A person looks at a room, or at another one. */
  const look = () => {
    const mode = random() < 0.5 ? 'full' : 'digest'
    pick(people).client.follow(pick(rooms), { mode })
  }

  const disturb: Record<string, () => Promise<void> | void> = {
    'kill a chat': async () => {
      const one = pick(chats)
      one.process.kill()
      chats.splice(chats.indexOf(one), 1)
      await newChat()
    },
    'kill a gateway': async () => {
      const one = pick(gateways)
      one.process.kill()
      gateways.splice(gateways.indexOf(one), 1)
      for (const each of wires) if (each.host === one) each.cut()
      await newGateway()
    },
    'shut a gateway down': async () => {
      const one = pick(gateways)
      gateways.splice(gateways.indexOf(one), 1)
      await newGateway()
      void one.drain(random() * 5_000).then(() => {
        one.process.kill()
        for (const each of wires) if (each.host === one) each.cut()
      })
    },
    'freeze a chat and wake it': () => {
      const { process } = pick(chats)
      process.freeze()
      sim.after(random() * 20_000, () => process.thaw())
    },
    'freeze a gateway and wake it': () => {
      const { process } = pick(gateways)
      process.freeze()
      sim.after(random() * 20_000, () => process.thaw())
    },
    'cut a socket': () => {
      const open = [...wires].filter((each) => each.open)
      if (open.length > 0) pick(open).cut()
    },
    'move the partitions': () => bus.faults.rebalance('chat'),
    'expel a chat': () => bus.faults.expel(pick(chats).consumer),
    'make the log lose answers': () =>
      bus.faults.publish({
        requestLost: random() * 0.3,
        answerLost: random() * 0.3,
        appendedTwice: random() * 0.2,
        extraMs: random() * 200,
      }),
    'make the log whole': () => bus.faults.publish({}),
    'repeat commands': () => bus.faults.delivery('chat', { repeated: random() * 0.5 }),
    'hide events from a gateway': () =>
      bus.faults.delivery(pick(gateways).process.name, { skipped: random() * 0.3, repeated: random() * 0.3 }),
    'take the database away': () => {
      Object.assign(faults, { refused: random() * 0.5, answerLost: random() * 0.5 })
    },
    'give the database back': () => {
      Object.assign(faults, { refused: 0, answerLost: 0 })
    },
  }
  for (let step = 0; step < steps; step += 1) {
    // The last events are told by digests that nobody asks for.
    if (step === steps - 15) for (const each of switchers) each.settle('digest')
    const chance = random()
    if (chance < 0.7) write()
    else if (chance < 0.8) comeOrGo()
    else if (chance < 0.84) pick(switchers).turn()
    else if (chance < 0.87) look()
    else {
      const what = pick(Object.keys(disturb))
      tell(what)
      await disturb[what]!()
    }
    for (let n = 0; n < cutting; n += 1) {
      spoil()
      await sim.runFor(random() * 100)
    }
    await sim.runFor(random() * 300)
  }

  tell('left alone')
  for (const { client } of people) for (const room of rooms) client.follow(room)
  bus.faults.publish({})
  bus.faults.delivery('chat', {})
  for (const { process } of gateways) bus.faults.delivery(process.name, {})
  Object.assign(faults, { refused: 0, answerLost: 0 })
  for (const { process } of [...chats, ...gateways]) process.thaw()
  const headOf = (room: string) => store.heads.get(room)?.seq ?? 0
  const quiet = () =>
    [...store.heads.values()].every((head) => head.publishedSeq === head.seq) &&
    people.every(
      ({ client }) =>
        client.outbox.length === 0 &&
        rooms.every((room) => client.streams.get(room)?.cursor?.seq === headOf(room)),
    )
  await sim.runUntil(quiet, SETTLE_MS)
  tell(quiet() ? 'quiet' : 'never quiet')
  const unsaid = () =>
    switchers.flatMap((each) =>
      rooms.filter((room) => {
        const { seq, messageNo } = store.heads.get(room)!
        const told = each.told(room)
        return told?.head !== seq || told.messageNo !== messageNo
      }),
    )
  await sim.runUntil(() => unsaid().length === 0, SETTLE_MS)
  const staleDigests = unsaid().length
  for (const each of switchers) each.settle('full')
  await sim.runUntil(
    () => switchers.every((each) => rooms.every((room) => each.at(room) === headOf(room))),
    SETTLE_MS,
  )
  // Repetitions still on their way must change nothing any more.
  await sim.runFor(30_000)

  for (const room of rooms) {
    for (const event of eventsOf(room)) reads.push(readOf('record', event))
    observers.push({ observer: 'record', room, from: 1 })
  }
  const logged = new Set(
    bus.records(topics.events.name).map((record) => `${record.key} ${record.headers.seq}`),
  )
  const unpublished = rooms.flatMap((room) =>
    eventsOf(room).filter((event) => !logged.has(`${room} ${event.seq}`)),
  ).length
  const misordered = misorderedStreams(bus.records(topics.events.name))
  const undecided = bus.records(topics.commands.name).filter((record) => {
    const { actor, id } = JSON.parse(record.value.toString())
    return !store.outcomes.has(outcomeKey(actor, id))
  }).length
  const inRooms = new Set(store.members.keys())
  const inUsers = new Set(
    [...store.userRooms.values()].filter((row) => row.member).map(({ room, user }) => `${room} ${user}`),
  )
  const disagreements = inRooms.symmetricDifference(inUsers).size
  // In the lobby nobody has to have everything.
  const judged = reads.filter((read) => rooms.includes(read.room))
  const history: History = { sends, reads: judged, observers, copies: ['record'] }
  return {
    report: check(history),
    history,
    story,
    mishaps,
    unpublished,
    misordered,
    undecided,
    disagreements,
    staleDigests,
  }
}

/** UUIDv7s that the seed decides. */
function commandIds(random: () => number, now: () => number): () => string {
  const digits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('')
  return () => {
    const time = Math.floor(now()).toString(16).padStart(12, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${digits(3)}-8${digits(3)}-${digits(12)}`
  }
}

function misorderedStreams(log: readonly IncomingRecord[]): number {
  const last = new Map<string, { partition: number; seq: number }>()
  const found = new Set<string>()
  for (const { key, partition, headers: given } of log) {
    const seq = Number(given[headers.seq])
    const before = last.get(key)
    if (before && (before.partition !== partition || seq > before.seq + 1)) found.add(key)
    last.set(key, { partition, seq: Math.max(seq, before?.seq ?? 0) })
  }
  return found.size
}
