import {
  type GatewaySignal,
  type PresenceSession,
  type PresenceState,
  presenceTimes,
} from '@klatsch/contracts'
import { takeIn } from '../src/domain/leases.ts'
import { isQuiet, newPartition, type PresenceEvent, type SignalRecord } from '../src/domain/partition.ts'

/** Not the beginning of the log: there was something before. */
const FIRST = 1_000
const { beatMs, tickMs, leaseMs } = presenceTimes

/** What a receiver makes of the events: the latest state of everybody, by version. */
export class Receiver {
  readonly known = new Map<string, { state: PresenceState; version: number }>()
  /** Every state that was taken over, in order. */
  readonly history: { user: string; state: PresenceState; version: number }[] = []
  #parts = 0

  take(event: PresenceEvent): void {
    if (event.kind === 'changed') this.#apply(event.user, event.state, event.version)
    if (event.kind !== 'roster') return
    for (const { user, state } of event.users) this.#apply(user, state, event.version)
    if (!event.complete) return
    this.#parts = event.complete.part === 1 ? 1 : this.#parts + 1
    if (this.#parts !== event.complete.of) return
    for (const user of this.known.keys()) this.#apply(user, 'offline', event.version)
  }

  state(user: string): PresenceState | undefined {
    return this.known.get(user)?.state
  }

  #apply(user: string, state: PresenceState, version: number): void {
    const before = this.known.get(user)
    if (before && before.version >= version) return
    this.known.set(user, { state, version })
    if (before?.state !== state) this.history.push({ user, state, version })
  }
}

/** A gateway as a simulation: appends what it says to the log of the world. */
export class SimGateway {
  readonly name: string
  readonly sessions = new Map<string, PresenceSession & { since: number }>()
  mode: 'live' | 'frozen' | 'dead' = 'live'
  /** Its latest append, and since when it never was silent for long. */
  saidAt = Number.NEGATIVE_INFINITY
  steadySince = 0
  epoch: number
  n = 0
  readonly #world: World
  readonly #leaving = new Map<string, { user: string; until: number }>()
  #asked = false

  constructor(world: World, name: string) {
    this.#world = world
    this.name = name
    this.epoch = world.time
  }

  open(user: string, session: string, more: Partial<PresenceSession> = {}): void {
    const first = this.sessions.size === 0
    const mine = { idle: false, ...more, user, session }
    this.sessions.set(session, { ...mine, since: this.#world.time })
    if (first) this.begin()
    else this.say({ sessions: [mine] })
  }

  /** `inFull`: what is said next is a full set anyway, so it is told with that. */
  close(session: string, graceMs: number = presenceTimes.graceMs, inFull = false): void {
    const mine = this.sessions.get(session)
    if (!mine) return
    this.sessions.delete(session)
    this.#leaving.set(session, { user: mine.user, until: this.#world.time + graceMs })
    if (inFull) this.begin()
    else this.say({ ended: [{ user: mine.user, session, graceMs }] })
  }

  change(session: string, more: Partial<PresenceSession>): void {
    const mine = this.sessions.get(session)
    if (!mine) return
    this.sessions.set(session, { ...mine, ...more })
    this.say({ sessions: [this.#plain({ ...mine, ...more })] })
  }

  /** A new life: a new epoch and all sessions, in parts. */
  begin(partSize = 2): void {
    this.epoch = Math.max(this.#world.time, this.epoch + 1)
    this.n = 0
    const all = [...this.sessions.values()].map((session) => this.#plain(session))
    const ended = [...this.#leaving]
      .map(([session, { user, until }]) => ({ user, session, graceMs: until - this.#world.time }))
      .filter(({ graceMs }) => graceMs > 0)
    const of = Math.max(1, Math.ceil(all.length / partSize))
    for (let part = 1; part <= of; part += 1) {
      const sessions = all.slice((part - 1) * partSize, part * partSize)
      this.say({ full: { part, of }, sessions, ...(part === 1 ? { ended } : {}) })
    }
  }

  asked(fenced: number | undefined): void {
    if (fenced !== undefined) this.epoch = Math.max(this.epoch, fenced)
    if (this.mode === 'frozen') this.#asked = true
    else if (this.mode === 'live' && this.sessions.size > 0) this.begin()
  }

  say(more: Partial<GatewaySignal>): GatewaySignal {
    this.n += 1
    const signal: GatewaySignal = {
      kind: 'gateway',
      gateway: this.name,
      epoch: this.epoch,
      n: this.n,
      ...more,
    }
    if (this.#world.time - this.saidAt > leaseMs - tickMs) this.steadySince = this.#world.time
    this.saidAt = this.#world.time
    this.#world.append(signal)
    return signal
  }

  /** Goes on after a freeze: what was on its way goes out first; then it notices, or is told. */
  wake(): void {
    this.mode = 'live'
    const late = this.#world.time - this.saidAt > leaseMs
    if (this.sessions.size > 0) this.say({})
    if ((late || this.#asked) && this.sessions.size > 0) this.begin()
    this.#asked = false
  }

  turn(): void {
    if (this.mode === 'live' && this.sessions.size > 0 && this.#world.time - this.saidAt >= beatMs)
      this.say({})
  }

  #plain({ user, session, idle, chosen }: PresenceSession): PresenceSession {
    return { user, session, idle, ...(chosen ? { chosen } : {}) }
  }
}

/** One partition's log, its owner, its gateways and a receiver, in simulated time. */
export class World {
  time = 1_000_000
  readonly log: SignalRecord[] = []
  readonly gateways: SimGateway[]
  readonly receiver = new Receiver()
  readonly events: PresenceEvent[] = []
  /** Undefined while no presence instance owns the partition. */
  owner: { state: ReturnType<typeof newPartition>; next: number } | undefined
  /** Time without an owner, added up. */
  downMs = 0
  #committed = 0
  #tickAt = 0

  constructor(names: readonly string[] = ['g1', 'g2', 'g3']) {
    this.gateways = names.map((name) => new SimGateway(this, name))
    this.own(false)
  }

  append(signal: SignalRecord['signal']): void {
    this.log.push({ offset: FIRST + this.log.length, time: this.time, signal })
  }

  /** An owner that begins where the last one committed, with the latest records read before, or without. */
  own(withLatest: boolean): void {
    const state = newPartition()
    this.owner = { state, next: this.#committed }
    this.deliver([{ kind: 'resync', gateway: undefined, fenced: undefined }])
    if (!withLatest) return
    for (const record of this.log) {
      if (record.time >= this.time - leaseMs - 3_000) this.deliver(takeIn(state, record))
    }
  }

  /** The owner dies, `behind` records before what it has taken in. */
  disown(behind = 0): void {
    this.#committed = Math.max(0, this.#committed - behind)
    this.owner = undefined
  }

  deliver(events: readonly PresenceEvent[]): void {
    for (const event of events) {
      this.events.push(event)
      this.receiver.take(event)
      if (event.kind !== 'resync') continue
      for (const gateway of this.gateways) {
        if (event.gateway === undefined || event.gateway === gateway.name) gateway.asked(event.fenced)
      }
    }
  }

  /** Time goes by in small steps; `check` runs after each. */
  run(ms: number, check: () => void = () => {}): void {
    for (const end = this.time + ms; this.time < end; ) {
      const step = Math.min(100, end - this.time)
      this.time += step
      if (!this.owner) this.downMs += step
      for (const gateway of this.gateways) gateway.turn()
      if (this.owner && this.time - this.#tickAt >= tickMs && !isQuiet(this.owner.state)) {
        this.#tickAt = this.time
        this.append({ kind: 'tick' })
      }
      this.catchUp()
      check()
    }
  }

  catchUp(): void {
    while (this.owner && this.owner.next < this.log.length) {
      const record = this.log[this.owner.next]!
      this.owner.next += 1
      this.deliver(takeIn(this.owner.state, record))
      this.#committed = this.owner.next
    }
  }
}
