import type { Api } from '@klatsch/client'
import type { Scenario } from '@klatsch/contracts'
import type { FaultyProxy } from '@klatsch/local-stack'
import { pause, systemScheduler } from '@klatsch/streams'
import { startCuttingProxy } from '../network/cutting-proxy.ts'
import { createHttpPerson } from '../people/http-person.ts'
import { createMovingPerson, frameReader, type MovingPerson } from '../people/moving-person.ts'
import { createPerson } from '../people/person.ts'
import { createRawPerson } from '../people/raw-person.ts'
import type { Observer } from '../people/settle.ts'
import { type Account, makeRoomsOf, registerAccounts } from '../people/stage.ts'
import { seededRandom } from '../random.ts'
import type { Watch } from './watch.ts'

const SOCKETS_PER_ACCOUNT = 10
/** Sockets opened at once, and the wait after them. */
const OPENING = 20
const OPENING_MS = 10
const HASTE = 0.1

/** Who takes part in a drill. */
export interface Cast {
  readonly accounts: readonly Account[]
  /** Streams, `room:<id>`. */
  readonly rooms: readonly string[]
  /** Of a member of the room. */
  apiOf(room: string): Api
  /** Who must have everything of which rooms. */
  readonly observers: readonly Observer[]
  /** Who writes and reads over HTTP alone. */
  readonly programs: readonly Observer[]
  /** Connections that can be spoilt go through it. */
  readonly proxy: FaultyProxy
  /** What clients met that they could have noticed. */
  readonly troubles: readonly { readonly observer: string; readonly what: string; readonly atMs: number }[]
  /** How often a second socket took over. */
  readonly moves: number
  close(): Promise<void>
}

/** Registers people, makes rooms, and opens everybody's connection. */
export async function gather(
  { load, bugs }: Pick<Scenario, 'load' | 'bugs'>,
  at: {
    readonly baseUrl: string
    readonly seed: number
    readonly watch: Watch
    readonly signal?: AbortSignal
  },
): Promise<Cast> {
  const { baseUrl, seed, watch, signal } = at
  const { host, hostname, port, protocol } = new URL(baseUrl)
  const count = Math.max(load.people + load.bare, Math.ceil(load.strict / SOCKETS_PER_ACCOUNT), 1)
  const accounts = await registerAccounts(baseUrl, count)
  signal?.throwIfAborted()
  const { rooms, roomsOf } = await makeRoomsOf(accounts, load.rooms, load.roomsEach ?? load.rooms)
  signal?.throwIfAborted()
  const proxy = await startCuttingProxy({
    target: { host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) },
    random: seededRandom(seed + 1),
    ...(load.spoil?.everyMs !== undefined && { everyMs: load.spoil.everyMs }),
  })
  const direct = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`
  const spoilt = `ws://127.0.0.1:${proxy.port}/ws`
  const percent = load.spoil?.percent ?? 0
  /** Spread evenly over all. */
  const urlOf = (index: number) =>
    Math.floor(((index + 1) * percent) / 100) > Math.floor((index * percent) / 100) ? spoilt : direct

  const observers: Observer[] = []
  const programs: Observer[] = []
  const troubles: Cast['troubles'][number][] = []
  const noticer = (observer: string) => (what: string) =>
    troubles.push({ observer, what, atMs: watch.elapsedMs })

  for (let index = 0; index < load.people + load.bare; index += 1) {
    const account = accounts[index]!
    const token = (stale?: string) => account.session.token(stale)
    const isBare = index >= load.people
    const name = `${account.username}${isBare ? ' (bare)' : ''}`
    const rooms = roomsOf(index)
    const random = seededRandom(seed + 100 + index)
    const common = {
      ...{ name, actor: account.actor, url: urlOf(index), rooms, watch },
      random: load.spoil?.hasty ? () => random() * HASTE : random,
    }
    const person = isBare
      ? createRawPerson({ ...common, baseUrl, token: () => token() })
      : await createPerson({
          ...common,
          api: account.api,
          token,
          bugs: new Set(bugs),
          trouble: noticer(name),
        })
    observers.push({ person, rooms })
  }
  const read = frameReader()
  const movers: MovingPerson[] = []
  for (let index = 0; index < load.strict; index += 1) {
    const of = Math.floor(index / SOCKETS_PER_ACCOUNT)
    const account = accounts[of]!
    const room = roomsOf(of)[index % roomsOf(of).length]!
    const name = `${account.username}/${index}`
    const person = createMovingPerson({
      ...{ name, actor: account.actor, url: direct, room, read, watch },
      token: () => account.session.token(),
      random: seededRandom(seed + 5_000 + index),
      trouble: noticer(name),
    })
    movers.push(person)
    observers.push({ person, rooms: [room] })
    if (index % OPENING === 0) await pause(systemScheduler, OPENING_MS, signal)
  }
  for (let index = 0; index < load.programs; index += 1) {
    const account = accounts[index % accounts.length]!
    const name = `${account.username} (program ${index})`
    const person = createHttpPerson({
      ...{ name, actor: account.actor, baseUrl, watch, trouble: noticer(name) },
      token: () => account.session.token(),
    })
    programs.push({ person, rooms: roomsOf(index % accounts.length) })
  }

  return {
    apiOf: (room) => accounts[rooms.indexOf(room) % accounts.length]!.api,
    ...{ accounts, rooms, observers, programs, proxy, troubles },
    get moves() {
      return movers.reduce((sum, { moves }) => sum + moves, 0)
    },
    async close() {
      await Promise.all([...observers, ...programs].map(({ person }) => person.close()))
      await proxy.close()
    },
  }
}
