import { randomUUID } from 'node:crypto'
import { type Api, createApi, createSession, type SessionKeeper } from '@klatsch/client'
import { roomSubject, userSubject } from '@klatsch/contracts'
import { patiently as patientlyFor } from './records.ts'

/** Passwords are hashed slowly on purpose; more at a time would only wait for one another. */
const REGISTERING = 3
const JOINING = 4
const PREPARE_MS = 180_000

const patiently = <T>(task: () => Promise<T>) => patientlyFor(task, PREPARE_MS)

export interface Account {
  readonly username: string
  readonly actor: string
  readonly api: Api
  readonly session: SessionKeeper
}

/** Registers people under names nobody has yet. */
export function registerAccounts(baseUrl: string, count: number): Promise<Account[]> {
  const run = randomUUID().slice(0, 8)
  return some(
    REGISTERING,
    Array.from({ length: count }, (_, i) => `drill-${run}-${i + 1}`),
    async (username) => {
      const api: Api = createApi({ baseUrl, token: (stale) => session.token(stale) })
      const session = createSession(api)
      session.start(await patiently(() => api.register({ username, password: randomUUID() })))
      return { username, api, session, actor: userSubject(session.current!.user.id) }
    },
  )
}

/** Rooms, and who is in which of them. */
export interface Rooms {
  /** Streams, `room:<id>`. */
  readonly rooms: readonly string[]
  /** The rooms that the account of this index is in. */
  roomsOf(index: number): readonly string[]
}

/** Makes so many rooms, with each account in `each` of them: those it made and the ones after its own, in a circle. */
export async function makeRoomsOf(accounts: readonly Account[], count: number, each: number): Promise<Rooms> {
  const numbers = Array.from({ length: count }, (_, index) => index)
  const ids = await some(JOINING, numbers, async (room) => {
    const { api } = accounts[room % accounts.length]!
    const key = randomUUID()
    return (await patiently(() => api.createRoom({ name: `Drill ${room + 1}` }, { id: key }))).id
  })
  const made = (index: number) => numbers.filter((room) => room % accounts.length === index)
  const entered = (index: number) => numbers.slice(0, each).map((further) => (index + further) % count)
  await some(JOINING, [...accounts.keys()], async (index) => {
    const mine = made(index)
    for (const room of entered(index)) {
      if (mine.includes(room)) continue
      const key = randomUUID()
      await patiently(() => accounts[index]!.api.join(ids[room]!, { id: key }))
    }
  })
  const rooms = ids.map(roomSubject)
  return {
    rooms,
    roomsOf: (index) => [...new Set([...made(index), ...entered(index)])].map((room) => rooms[room]!),
  }
}

/** Works through a list, so many at a time; answers in the order of the list. */
async function some<T, R>(atATime: number, list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(list.length)
  let next = 0
  const worker = async () => {
    while (next < list.length) {
      const index = next++
      results[index] = await work(list[index]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atATime, list.length) }, worker))
  return results
}
