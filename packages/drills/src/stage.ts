import { randomUUID } from 'node:crypto'
import { type Api, createApi, createSession, type SessionKeeper } from '@klatsch/client'
import { KlatschError, roomSubject, userSubject } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'

/** Passwords are hashed slowly on purpose; more at a time would only wait for one another. */
const REGISTERING = 3
const JOINING = 4
const PREPARE_MS = 180_000

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

/** Makes rooms with everybody in all of them, and answers their streams. */
export async function makeRooms(accounts: readonly Account[], count: number): Promise<string[]> {
  const owner = accounts[0]!
  const ids = await some(
    JOINING,
    Array.from({ length: count }, (_, i) => i),
    async (index) => {
      const key = randomUUID()
      const room = await patiently(() => owner.api.createRoom({ name: `Drill ${index + 1}` }, { id: key }))
      return room.id
    },
  )
  await some(JOINING, accounts.slice(1), async ({ api }) => {
    for (const id of ids) {
      const key = randomUUID()
      await patiently(() => api.join(id, { id: key }))
    }
  })
  return ids.map(roomSubject)
}

/** As many rooms as accounts: each account is in `each` of them, its own and the ones after, in a circle. Answers their streams. */
export async function makeRoomsOf(accounts: readonly Account[], each: number): Promise<string[]> {
  const ids = await some(JOINING, accounts, async ({ api, username }) => {
    const key = randomUUID()
    return (await patiently(() => api.createRoom({ name: `Room of ${username}` }, { id: key }))).id
  })
  const indexes = accounts.map((_, index) => index)
  await some(JOINING, indexes, async (index) => {
    for (let further = 1; further < each; further += 1) {
      const key = randomUUID()
      await patiently(() => accounts[index]!.api.join(ids[(index + further) % ids.length]!, { id: key }))
    }
  })
  return ids.map(roomSubject)
}

/** Tries again what may be tried again, for minutes. */
async function patiently<T>(task: () => Promise<T>): Promise<T> {
  const deadline = systemScheduler.now() + PREPARE_MS
  for (;;) {
    try {
      return await task()
    } catch (error) {
      if (!(error instanceof KlatschError) || !error.retryable || systemScheduler.now() > deadline)
        throw error
      await pause(systemScheduler, Math.max(250, error.retryAfterMs ?? 0))
    }
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
