import { pause, systemScheduler } from '@klatsch/streams'
import { type Controls, freeze, killAndWait } from './chaos.ts'
import { check, type Report } from './checker.ts'
import { startCuttingProxy } from './cutting-proxy.ts'
import type { History } from './history.ts'
import { runLoad } from './load.ts'
import { createPerson } from './person.ts'
import { seededRandom } from './random.ts'
import { createRawPerson } from './raw-person.ts'
import type { Person } from './recorder.ts'
import { readHttp, readPostgres } from './records.ts'
import { settle } from './settle.ts'
import { makeRooms, registerAccounts } from './stage.ts'

const FREEZE_MS = 10_000
const CUT_EVERY_MS = 2_000
const SETTLE_MS = 90_000

export interface KillDrillOptions {
  /** `http://host:port` */
  readonly baseUrl: string
  readonly databaseUrl: string
  readonly controls: Controls
  readonly clients: number
  /** How many of the clients are raw sockets and not our client. */
  readonly raw: number
  readonly messages: number
  readonly rooms: number
  /** Parts that are killed with -9, one after the other, in each round; `kafka+postgres` means both at once. */
  readonly kills: readonly string[]
  /** Parts that are stopped for 10 s and go on, after the kills of each round. */
  readonly freezes?: readonly string[]
  readonly rounds: number
  readonly seed: number
  /** Over which the messages are spread; it goes on until all kills are done as well. */
  readonly durationMs: number
  /** How long everyone may take, after that, to have everything. */
  readonly settleMs?: number
  readonly log?: (line: string) => void
  readonly signal?: AbortSignal
}

export interface KillDrillReport extends Report {
  /** Messages of the read table that differ from what the events say. */
  readonly projectionDifferences: number
  /** By kill, in order: the part, and milliseconds until it answered again. */
  readonly outages: readonly { readonly part: string; readonly ms: number }[]
  /** Milliseconds from the last message said, or the last part back, until everyone had everything; undefined: never. */
  readonly settledMs: number | undefined
}

/**
 * People write in rooms while parts of the stack are killed and come back, every second one of them through a proxy that
 * cuts and spoils connections. In the end everyone must have everything: each acknowledged message once, in one order,
 * in Postgres, over HTTP and at every member.
 */
export async function runKillDrill(options: KillDrillOptions): Promise<KillDrillReport> {
  const { baseUrl, log = () => {}, signal } = options
  const random = seededRandom(options.seed)
  const { host, hostname, port } = new URL(baseUrl)

  log(`seed ${options.seed}: ${options.clients} people register and join ${options.rooms} rooms`)
  const accounts = await registerAccounts(baseUrl, options.clients)
  const rooms = await makeRooms(accounts, options.rooms)
  const proxy = await startCuttingProxy({
    target: { host: hostname, port: Number(port || 80) },
    random: seededRandom(options.seed + 1),
    everyMs: CUT_EVERY_MS,
  })
  const persons: Person[] = []
  try {
    for (const [index, { username, actor, api, session }] of accounts.entries()) {
      const url = index % 2 === 0 ? `ws://${host}/ws` : `ws://127.0.0.1:${proxy.port}/ws`
      const common = { actor, url, rooms, random: seededRandom(options.seed + 100 + index) }
      const name = `${username}${index < options.raw ? ' (raw)' : ''}`
      const token = (stale?: string) => session.token(stale)
      persons.push(
        index < options.raw
          ? createRawPerson({ ...common, name, baseUrl, token: () => token() })
          : await createPerson({ ...common, name, api, token }),
      )
    }
    const [, outages] = await Promise.all([
      runLoad({ ...options, persons, rooms, random }),
      wreck(options, log),
    ])
    const cuts = Object.entries(proxy.counts).map(([kind, count]) => `${kind} ${count}`)
    log(`all is said; connections spoilt: ${cuts.join(', ')}`)
    proxy.calm()
    const settledMs = await settle(
      persons.map((person) => ({ person, rooms })),
      { databaseUrl: options.databaseUrl, rooms, withinMs: options.settleMs ?? SETTLE_MS, log, signal },
    )
    const { reads, projectionDifferences } = await readPostgres(options.databaseUrl, rooms)
    const http = await readHttp(accounts[0]!.api, rooms)
    const history: History = {
      sends: persons.flatMap((person) => person.sends),
      reads: [...reads, ...http, ...persons.flatMap((person) => person.reads)],
      observers: persons.flatMap(({ name }) => rooms.map((room) => ({ observer: name, room, from: 1 }))),
      copies: ['postgres', 'http'],
    }
    const report = check(history)
    const ok = report.ok && projectionDifferences === 0 && settledMs !== undefined
    return { ...report, ok, projectionDifferences, outages, settledMs }
  } finally {
    await Promise.all(persons.map((person) => person.close()))
    await proxy.close()
    signal?.throwIfAborted()
  }
}

/** Kills and freezes, spread over the time of the load. */
async function wreck(
  options: KillDrillOptions,
  log: (line: string) => void,
): Promise<{ part: string; ms: number }[]> {
  const { controls, kills, freezes = [], rounds, durationMs, signal } = options
  const spacing = durationMs / ((kills.length + freezes.length) * rounds + 1)
  const outages: { part: string; ms: number }[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const part of kills) {
      const at = systemScheduler.now()
      await pause(systemScheduler, spacing, signal)
      const back = part.split('+').map((each) => killAndWait(controls, each, signal))
      const ms = Math.max(...(await Promise.all(back)))
      outages.push({ part, ms })
      log(`round ${round}: ${part} was killed and is back after ${(ms / 1_000).toFixed(1)} s`)
      // What it took to come back is part of the spacing, so that the load does not run out before the kills.
      await pause(systemScheduler, Math.max(0, at + spacing - systemScheduler.now()), signal)
    }
    for (const part of freezes) {
      await pause(systemScheduler, spacing, signal)
      await freeze(controls, part, FREEZE_MS, signal)
      log(`round ${round}: ${part} was frozen for ${FREEZE_MS / 1_000} s`)
    }
  }
  return outages
}
