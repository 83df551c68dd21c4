import { globalRoomRequest, makeGlobalRoom } from '@klatsch/chat/src/domain/global-room.ts'
import { memoryStore } from '@klatsch/chat/src/outbound/memory-store.ts'
import {
  type Bugs,
  type StreamEvent,
  streamEventSchema,
  topics,
  userSubject,
  verifyEvent,
} from '@klatsch/contracts'
import type { History, Read, Send } from '@klatsch/drills'
import { memoryEventBus } from '@klatsch/event-bus'
import { type SimulatedProcess, simulatedScheduler } from '@klatsch/streams/simulation'
import { noFaults, type Surroundings } from './calls.ts'
import { type ChatProcess, startChat } from './chat-process.ts'
import { type GatewayProcess, startGateway } from './gateway-process.ts'
import { Lives } from './lives.ts'
import type { Plan } from './plan.ts'
import { type PresenceProcess, startPresence } from './presence-process.ts'
import { PresenceWatch } from './presence-watch.ts'
import { type Wire, wire } from './wire.ts'

/** After the last disturbance, everyone must have everything within this much virtual time. */
export const SETTLE_MS = 180_000

const partitions = Object.fromEntries(Object.values(topics).map((topic) => [topic.name, topic.partitions]))
/** So few that streams share them, as thousands of streams do. */
const fewer = { [topics.events.name]: 2, [topics.replies.name]: 1 }

/** The processes of a world, the log and the record between them, and all that is written down about it. */
export class World implements Surroundings {
  readonly plan: Plan
  readonly bugs: Bugs
  readonly sim
  readonly bus
  readonly store = memoryStore()
  readonly faults = { ...noFaults }
  readonly chats: ChatProcess[] = []
  readonly gateways: GatewayProcess[] = []
  readonly presences: PresenceProcess[] = []
  readonly wires = new Set<Wire>()
  readonly lives: Lives
  readonly presenceWatch: PresenceWatch
  readonly sends: Send[] = []
  readonly reads: Read[] = []
  readonly observers: History['observers'][number][] = []
  /** What was done to the world, in order: to be read when it went wrong. */
  readonly story: string[] = []
  readonly #began: number
  #named = 0

  private constructor(plan: Plan, bugs: Bugs) {
    this.plan = plan
    this.bugs = bugs
    this.sim = simulatedScheduler(plan.order)
    const { random } = this.sim
    this.bus = memoryEventBus({ scheduler: this.sim, random, topics: { ...partitions, ...fewer } })
    this.lives = new Lives(this.sim.now)
    this.presenceWatch = new PresenceWatch(this.sim, this.presences)
    this.#began = this.sim.now()
  }

  static async begin(plan: Plan, bugs: Bugs): Promise<World> {
    const world = new World(plan, bugs)
    await world.store.transact(globalRoomRequest, (loaded) =>
      makeGlobalRoom(loaded, world.sim.now(), () => 'salt'),
    )
    const { chats, gateways, presences } = plan.setup
    for (let n = 0; n < presences; n += 1) await world.newPresence()
    for (let n = 0; n < chats; n += 1) await world.newChat()
    for (let n = 0; n < gateways; n += 1) await world.newGateway()
    return world
  }

  /** Virtual milliseconds since it began. */
  get time(): number {
    return this.sim.now() - this.#began
  }

  since(at: number): number {
    return at - this.#began
  }

  tell(what: string, at: number = this.time): void {
    this.story.push(`${String(Math.round(at)).padStart(7)} ms  ${what}`)
  }

  /** Lets the world run until this is over. @throws Error when it never is. */
  async done<T>(work: Promise<T>): Promise<T> {
    let over = false
    const watched = work.finally(() => {
      over = true
    })
    watched.catch(() => {})
    if (!(await this.sim.runUntil(() => over, SETTLE_MS))) {
      throw new Error(`seed ${this.plan.seed} got stuck at ${this.story.at(-1)?.trim() ?? 'its beginning'}`)
    }
    return watched
  }

  #name(what: string): string {
    this.#named += 1
    return `${what}-${this.#named}`
  }

  async newChat(): Promise<void> {
    this.chats.push(await this.done(startChat(this, this.#name('chat'))))
  }

  async newPresence(): Promise<void> {
    this.presences.push(await this.done(startPresence(this, this.#name('presence'))))
  }

  async newGateway(): Promise<void> {
    const gateway = await this.done(startGateway(this, this.#name('gateway')))
    await this.done(gateway.consumer.ready)
    this.gateways.push(gateway)
  }

  /** A socket to one of the gateways, which takes it for this user's. */
  dial(user: string, process: SimulatedProcess): Wire {
    const host = this.gateways[Math.floor(this.sim.random() * this.gateways.length)]!
    const made = wire(user, process, host, this.sim.random, this.lives.session(user, host.process.name))
    this.wires.add(made)
    return made
  }

  /** With the machine it is on: whoever is connected to it is cut off. */
  cutOff(host: GatewayProcess): void {
    for (const each of this.wires) if (each.host === host) each.cut()
  }

  /** The record's events of a stream. */
  eventsOf(subject: string): StreamEvent[] {
    return (this.store.events.get(subject) ?? []).map((event) =>
      streamEventSchema.parse(JSON.parse(event.bytes)),
    )
  }

  headOf(subject: string): number {
    return this.store.heads.get(subject)?.seq ?? 0
  }

  saw(observer: string, event: StreamEvent): void {
    this.reads.push({
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
  }
}

/** The `n`th user's id. */
export const userId = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
export const actorOf = userSubject
