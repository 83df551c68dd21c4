import { check, type Report } from './checker.ts'
import { type Mishap, startCuttingProxy } from './cutting-proxy.ts'
import type { History } from './history.ts'
import { runLoad } from './load.ts'
import { createPerson } from './person.ts'
import { seededRandom } from './random.ts'
import type { Person } from './recorder.ts'
import { readHttp, readPostgres } from './records.ts'
import { settle } from './settle.ts'
import { makeRooms, registerAccounts } from './stage.ts'

const SETTLE_MS = 60_000
/** People here try again sooner than others would: the more connections there are to spoil. */
const IMPATIENCE = 0.1

export interface CutDrillOptions {
  /** `http://host:port` */
  readonly baseUrl: string
  readonly databaseUrl: string
  readonly clients: number
  readonly rooms: number
  readonly messages: number
  /** A connection is spoilt about this often. */
  readonly everyMs: number
  readonly durationMs: number
  readonly seed: number
  readonly log?: (line: string) => void
  readonly signal?: AbortSignal
}

export interface CutDrillReport extends Report {
  /** What was done to connections. */
  readonly mishaps: Readonly<Record<Mishap['kind'], number>>
  readonly settledMs: number | undefined
  readonly projectionDifferences: number
}

/**
 * People at our own client write through a proxy that cuts, silences, delays and narrows their connections all the time.
 * In the end each has exactly what the record has.
 */
export async function runCutDrill(options: CutDrillOptions): Promise<CutDrillReport> {
  const { baseUrl, databaseUrl, log = () => {}, signal } = options
  const { hostname, port } = new URL(baseUrl)
  log(`seed ${options.seed}: ${options.clients} people register and join ${options.rooms} rooms`)
  const accounts = await registerAccounts(baseUrl, options.clients)
  const rooms = await makeRooms(accounts, options.rooms)
  const proxy = await startCuttingProxy({
    target: { host: hostname, port: Number(port || 80) },
    random: seededRandom(options.seed + 1),
    everyMs: options.everyMs,
  })
  const persons: Person[] = []
  try {
    for (const [index, { username, actor, api, session }] of accounts.entries()) {
      const random = seededRandom(options.seed + 100 + index)
      persons.push(
        await createPerson({
          ...{ name: username, actor, api, rooms },
          url: `ws://127.0.0.1:${proxy.port}/ws`,
          token: (stale) => session.token(stale),
          random: () => random() * IMPATIENCE,
        }),
      )
    }
    await runLoad({ ...options, persons, rooms: rooms, random: seededRandom(options.seed) })
    const mishaps = { ...proxy.counts }
    log(
      `all is said; connections spoilt: ${Object.entries(mishaps)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(', ')}`,
    )
    proxy.calm()
    const settledMs = await settle(
      persons.map((person) => ({ person, rooms })),
      { databaseUrl, rooms, withinMs: SETTLE_MS, log, signal },
    )
    const { reads, projectionDifferences } = await readPostgres(databaseUrl, rooms)
    const history: History = {
      sends: persons.flatMap((person) => person.sends),
      reads: [
        ...reads,
        ...(await readHttp(accounts[0]!.api, rooms)),
        ...persons.flatMap((person) => person.reads),
      ],
      observers: persons.flatMap(({ name }) => rooms.map((room) => ({ observer: name, room, from: 1 }))),
      copies: ['postgres', 'http'],
    }
    const report = check(history)
    const ok =
      report.ok && projectionDifferences === 0 && settledMs !== undefined && report.acked === report.sent
    return { ...report, ok, mishaps, settledMs, projectionDifferences }
  } finally {
    await Promise.all(persons.map((person) => person.close()))
    await proxy.close()
    signal?.throwIfAborted()
  }
}
