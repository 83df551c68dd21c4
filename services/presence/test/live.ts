import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  type GatewaySignal,
  headers,
  type PresenceSession,
  type PresenceState,
  presenceEventTypes,
  presencePartitionKey,
  presencePartitionOf,
  presenceTimes,
  resyncSchema,
  rosterSchema,
  topics,
} from '@klatsch/contracts'
import type { IncomingRecord, Publisher } from '@klatsch/event-bus'
import { freePorts } from '../../../infra/local/src/ports.ts'
import type { PresenceEvent } from '../src/domain/partition.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

export async function until(what: string, ms: number, done: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + ms; !(await done()); await sleep(50)) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
  }
}

/** A presence instance as a process of its own. */
export interface Instance {
  readonly process: ChildProcess
  /** The value of a gauge at `/metrics`. */
  gauge(name: string): Promise<number>
  end(signal: NodeJS.Signals): Promise<void>
}

export async function startInstance(brokers: string): Promise<Instance> {
  const [port = 0] = await freePorts(1)
  const env = { ...process.env, KAFKA_BROKERS: brokers, PORT: String(port), LOG_LEVEL: 'warn' }
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env,
    stdio: 'inherit',
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(3_000) })
  await until(
    'presence to be ready',
    30_000,
    async () => (await ask('/readyz').catch(() => undefined))?.ok ?? false,
  )
  return {
    process: child,
    async gauge(name) {
      const text = await (await ask('/metrics')).text()
      return Number(new RegExp(`^klatsch_presence_${name} (.+)$`, 'm').exec(text)?.[1])
    },
    async end(signal) {
      child.kill(signal)
      await ended
    },
  }
}

/** What a record of `presence.events` says, as far as a receiver keeps it. */
export function eventOf(record: IncomingRecord): PresenceEvent | undefined {
  const value = JSON.parse(record.value.toString())
  switch (record.headers[headers.type]) {
    case presenceEventTypes.changed: {
      const { state, version } = value.data
      return {
        kind: 'changed',
        user: record.key,
        state,
        home: undefined,
        version,
        lastSeen: undefined,
        time: 0,
      }
    }
    case presenceEventTypes.roster: {
      const { users, version, complete } = rosterSchema.parse(value)
      const named = users.map(({ user, state }) => ({ user, state, home: undefined, lastSeen: undefined }))
      return { kind: 'roster', users: named, version, time: 0, ...(complete ? { complete } : {}) }
    }
    case presenceEventTypes.resync: {
      const { gateway, fenced } = resyncSchema.parse(value)
      return { kind: 'resync', gateway, fenced }
    }
    default:
      return undefined
  }
}

/** A gateway over the real log, as simple as can be: full sets, changes and beats, each at once. */
export class LiveGateway {
  readonly name: string
  readonly sessions = new Map<string, PresenceSession>()
  mode: 'live' | 'frozen' | 'dead' = 'live'
  readonly #publisher: Publisher
  readonly #links = new Map<number, { epoch: number; n: number }>()
  readonly #timer: NodeJS.Timeout

  constructor(publisher: Publisher, name: string) {
    this.#publisher = publisher
    this.name = name
    this.#timer = setInterval(() => this.#turn(), presenceTimes.beatMs)
  }

  get partitions(): Set<number> {
    return new Set([...this.sessions.values()].map(({ user }) => presencePartitionOf(user)))
  }

  open(users: readonly string[]): void {
    for (const user of users) {
      const session = { user, session: `${this.name} ${user}`, idle: false }
      this.sessions.set(session.session, session)
      const partition = presencePartitionOf(user)
      if (this.#links.has(partition)) this.#say(partition, { sessions: [session] })
    }
    for (const partition of this.partitions) if (!this.#links.has(partition)) this.begin(partition)
  }

  close(user: string, graceMs: number = presenceTimes.graceMs): void {
    const session = `${this.name} ${user}`
    if (this.sessions.delete(session)) {
      this.#say(presencePartitionOf(user), { ended: [{ user, session, graceMs }] })
    }
  }

  begin(partition: number, fenced = 0): void {
    const link = this.#links.get(partition)
    this.#links.set(partition, { epoch: Math.max(Date.now(), (link?.epoch ?? 0) + 1, fenced + 1), n: 0 })
    const mine = [...this.sessions.values()].filter(({ user }) => presencePartitionOf(user) === partition)
    this.#say(partition, { full: { part: 1, of: 1 }, sessions: mine })
  }

  asked(partition: number, gateway: string | undefined, fenced: number | undefined): void {
    if (this.mode !== 'live' || (gateway !== undefined && gateway !== this.name)) return
    if (this.#links.has(partition)) this.begin(partition, fenced)
  }

  freeze(): void {
    this.mode = 'frozen'
  }

  /** The beat that was under way goes out; then it notices how long it was gone. */
  wake(): void {
    this.mode = 'live'
    for (const partition of this.partitions) this.#say(partition, {})
    for (const partition of this.partitions) this.begin(partition)
  }

  die(): void {
    this.mode = 'dead'
    clearInterval(this.#timer)
  }

  #turn(): void {
    if (this.mode === 'live') for (const partition of this.partitions) this.#say(partition, {})
  }

  #say(partition: number, more: Partial<GatewaySignal>): void {
    const link = this.#links.get(partition)
    if (!link || this.mode !== 'live') return
    link.n += 1
    const signal: GatewaySignal = { kind: 'gateway', gateway: this.name, ...link, ...more }
    const record = {
      topic: topics.presenceSignals.name,
      key: presencePartitionKey(partition),
      value: JSON.stringify(signal),
      headers: {},
    }
    this.#publisher.publish([record]).catch(() => this.#links.delete(partition))
  }
}

export type Told = { readonly user: string; readonly state: PresenceState; readonly at: number }

/** Quantiles of some figures, in words. */
export function spread(figures: readonly number[]): string {
  const sorted = [...figures].sort((a, b) => a - b)
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
  return sorted.length === 0
    ? 'none'
    : `n ${sorted.length} · min ${sorted[0]} · p50 ${at(0.5)} · p99 ${at(0.99)} · max ${sorted.at(-1)} ms`
}
