import { pause, systemScheduler } from '@klatsch/streams'
import { check, type Report } from './checker.ts'
import type { History } from './history.ts'
import { createHttpPerson, type HttpPerson } from './http-person.ts'
import { createMovingPerson, frameReader, type MovingPerson } from './moving-person.ts'
import { createPerson } from './person.ts'
import { pick, seededRandom } from './random.ts'
import { readHttp, readPostgres } from './records.ts'
import { type Observer, settle } from './settle.ts'
import { type Account, makeRoomsOf, registerAccounts } from './stage.ts'

const TICK_MS = 10
const SETTLE_MS = 60_000
const CALM_MS = 2_000
/** Of each sender's: sockets an account has, and rooms it is in. */
const SOCKETS_PER_ACCOUNT = 10
const OPENING = 20
/** Rooms that one of our own clients follows. */
const ROOMS_PER_CLIENT = 2
/** One in so many messages is written over HTTP. */
const HTTP_EVERY = 100
const WITNESSES = 20

export interface DeployDrillOptions {
  /** `http://host:port` */
  readonly baseUrl: string
  readonly databaseUrl: string
  /** Replaces every service once; resolves when the last old process has ended. */
  readonly restart: () => Promise<void>
  readonly rounds: number
  /** Bare sockets, each in one room. */
  readonly sockets: number
  /** People at our own client, besides. */
  readonly clients: number
  /** Messages a second, by all together. */
  readonly rate: number
  readonly seed: number
  readonly log?: (line: string) => void
  readonly signal?: AbortSignal
}

export interface DeployDrillReport extends Report {
  /** What a client saw besides a second socket, by client. */
  readonly troubled: number
  readonly troubles: readonly string[]
  /** How often a socket took over from another. */
  readonly moves: number
  /** From saying to seeing, over every message and everyone who saw it, in milliseconds. */
  readonly delivery: {
    readonly p50: number
    readonly p99: number
    readonly max: number
    readonly count: number
  }
  /** The longest time in which nobody saw anything, in milliseconds. */
  readonly longestSilenceMs: number
  readonly settledMs: number | undefined
  readonly projectionDifferences: number
}

/**
 * People talk at an even rate while every service is replaced, several times over. None may notice: each message once,
 * in order, at everybody, and no client meets an error, a close or a hole.
 */
export async function runDeployDrill(options: DeployDrillOptions): Promise<DeployDrillReport> {
  const { baseUrl, sockets, clients, log = () => {}, signal } = options
  const random = seededRandom(options.seed)
  const { host } = new URL(baseUrl)
  const url = `ws://${host}/ws`
  const watch = deliveryWatch()
  const troubles = new Map<string, string[]>()
  const noticer = (name: string) => (what: string) => {
    const at = new Date(systemScheduler.now()).toISOString()
    troubles.set(name, [...(troubles.get(name) ?? []), `${at} ${name}: ${what}`])
  }

  const count = Math.ceil(sockets / SOCKETS_PER_ACCOUNT)
  log(`seed ${options.seed}: ${count} people register, and join ${count} rooms`)
  const accounts = await registerAccounts(baseUrl, count)
  const spread = Math.min(SOCKETS_PER_ACCOUNT, count)
  const rooms = await makeRoomsOf(accounts, spread)
  /** The rooms that the account of this index is in. */
  const roomsOf = (index: number) => Array.from({ length: spread }, (_, i) => rooms[(index + i) % count]!)
  const tokenOf = (account: Account) => (stale?: string) => account.session.token(stale)

  const observers: Observer[] = []
  const movers: MovingPerson[] = []
  const read = frameReader()
  const http = createHttpPerson({
    name: `${accounts[0]!.username} (http)`,
    actor: accounts[0]!.actor,
    baseUrl,
    token: () => accounts[0]!.session.token(),
    trouble: noticer('http'),
  })
  const httpRooms = roomsOf(0)
  try {
    for (let index = 0; index < sockets; index += 1) {
      const of = Math.floor(index / SOCKETS_PER_ACCOUNT)
      const account = accounts[of]!
      const room = roomsOf(of)[index % spread]!
      const name = `${account.username}/${index}`
      const mover = createMovingPerson({
        ...{ name, actor: account.actor, url, room, read, seen: watch.seen },
        token: () => account.session.token(),
        random: seededRandom(options.seed + 100 + index),
        trouble: noticer(name),
      })
      movers.push(mover)
      observers.push({ person: mover, rooms: [room] })
      if (index % OPENING === 0) await pause(systemScheduler, TICK_MS, signal)
    }
    for (let index = 0; index < Math.min(clients, count); index += 1) {
      const account = accounts[index]!
      const name = `${account.username} (client)`
      const rooms = roomsOf(index).slice(0, ROOMS_PER_CLIENT)
      const person = await createPerson({
        ...{ name, actor: account.actor, url, rooms, api: account.api, seen: watch.seen },
        token: tokenOf(account),
        random: seededRandom(options.seed + 50 + index),
        trouble: noticer(name),
      })
      observers.push({ person, rooms })
    }
    const settling = { databaseUrl: options.databaseUrl, rooms, log, signal }
    const ready = await settle(observers, { ...settling, withinMs: SETTLE_MS })
    if (ready === undefined) throw new Error('not everyone got in')
    log(`${sockets} sockets and ${Math.min(clients, count)} clients are in`)

    const over = new AbortController()
    const talking = talk(observers, http, httpRooms, watch, {
      ...{ rate: options.rate, random },
      signal: AbortSignal.any([over.signal, ...(signal ? [signal] : [])]),
    })
    for (let round = 1; round <= options.rounds && !signal?.aborted; round += 1) {
      await pause(systemScheduler, CALM_MS, signal)
      const start = systemScheduler.now()
      await options.restart()
      log(`round ${round}: all was replaced in ${((systemScheduler.now() - start) / 1_000).toFixed(1)} s`)
    }
    await pause(systemScheduler, CALM_MS, signal)
    over.abort()
    await talking
    const everyone = [...observers, { person: http, rooms: [] }]
    const settledMs = await settle(everyone, { ...settling, withinMs: SETTLE_MS })

    const { reads, projectionDifferences } = await readPostgres(options.databaseUrl, rooms)
    for (const room of httpRooms) await http.look(room)
    const persons = everyone.map(({ person }) => person)
    const history: History = {
      sends: persons.flatMap((person) => person.sends),
      reads: [
        ...reads,
        ...(await readHttp(accounts[0]!.api, httpRooms)),
        ...persons.flatMap(({ reads }) => reads),
      ],
      observers: observers.flatMap(({ person, rooms }) =>
        rooms.map((room) => ({ observer: person.name, room, from: 1 })),
      ),
      copies: ['postgres'],
    }
    const report = check(history)
    const ok =
      report.ok &&
      projectionDifferences === 0 &&
      settledMs !== undefined &&
      troubles.size === 0 &&
      report.acked === report.sent
    return {
      ...report,
      ok,
      troubled: troubles.size,
      troubles: [...troubles.values()].flat().slice(0, WITNESSES),
      moves: movers.reduce((sum, { moves }) => sum + moves, 0),
      delivery: watch.delivery(),
      longestSilenceMs: watch.longestSilenceMs(),
      settledMs,
      projectionDifferences,
    }
  } finally {
    await Promise.all(observers.map(({ person }) => person.close()))
    signal?.throwIfAborted()
  }
}

/** Everyone talks, anyone at a time, so many messages a second, until told to stop. */
async function talk(
  observers: readonly Observer[],
  http: HttpPerson,
  httpRooms: readonly string[],
  watch: ReturnType<typeof deliveryWatch>,
  { rate, random, signal }: { rate: number; random: () => number; signal: AbortSignal },
): Promise<void> {
  const start = systemScheduler.now()
  for (let said = 0; !signal.aborted; ) {
    const due = Math.floor(((systemScheduler.now() - start) / 1_000) * rate)
    for (; said < due; said += 1) {
      const text = `${said} ${'x'.repeat(Math.floor(random() * 200))}`
      const speaker: Observer =
        said % HTTP_EVERY === 0 ? { person: http, rooms: httpRooms } : pick(random, observers)
      speaker.person.say(pick(random, speaker.rooms), text)
      watch.said(speaker.person.sends.at(-1)!.command)
      if (said % HTTP_EVERY === 0) void http.look(pick(random, httpRooms))
    }
    await pause(systemScheduler, TICK_MS, signal)
  }
}

/** How long messages take to those who see them. */
function deliveryWatch() {
  const saidAt = new Map<string, number>()
  const times: number[] = []
  let lastSeenAt: number | undefined
  let longest = 0
  return {
    said(command: string) {
      saidAt.set(command, performance.now())
    },
    seen(command: string) {
      const at = saidAt.get(command)
      if (at === undefined) return
      const now = performance.now()
      times.push(now - at)
      longest = Math.max(longest, now - (lastSeenAt ?? now))
      lastSeenAt = now
    },
    delivery() {
      const sorted = Float64Array.from(times).sort()
      const at = (q: number) =>
        Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0)
      return { p50: at(0.5), p99: at(0.99), max: at(1), count: sorted.length }
    },
    longestSilenceMs: () => Math.round(longest),
  }
}
