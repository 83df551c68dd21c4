import { KlatschError, type Session } from '@klatsch/contracts'
import { describe, expect, test } from 'vitest'
import { jwt } from '../test/bench.ts'
import { createSession, memorySession } from './session.ts'

const NOW = 1_700_000_000_000
let made = 0
const session = (seconds: number): Session => {
  made += 1
  return {
    user: {
      id: '00000000-0000-4000-8000-000000000001',
      username: 'a',
      displayName: 'A',
      guest: false,
      admin: false,
    },
    accessToken: jwt({ exp: NOW / 1_000 + seconds + made / 1_000 }),
    refreshToken: `refresh ${made}`,
    expiresIn: seconds,
  }
}

function bench(answer: () => Promise<Session>) {
  const refreshed: string[] = []
  const exchanges: (string | undefined)[] = []
  const loggedOut: (string | undefined)[] = []
  const storage = memorySession()
  const api = {
    refresh: (token: string, { id }: { id?: string } = {}) => {
      refreshed.push(token)
      exchanges.push(id)
      return answer()
    },
    logout: async (token?: string) => void loggedOut.push(token),
  }
  return { refreshed, exchanges, loggedOut, storage, api, keeper: createSession(api, storage, () => NOW) }
}

describe('the session', () => {
  test('hands out the token it has while that is good', async () => {
    const { keeper, refreshed } = bench(async () => session(600))
    const first = session(600)
    keeper.start(first)
    expect(await keeper.token()).toBe(first.accessToken)
    expect(refreshed).toEqual([])
  })

  test('refreshes once for all who ask at a time', async () => {
    const { keeper, refreshed } = bench(async () => session(600))
    const old = session(20)
    keeper.start(old)
    const tokens = await Promise.all([keeper.token(), keeper.token(), keeper.token(old.accessToken)])
    expect(new Set(tokens).size).toBe(1)
    expect(refreshed).toEqual([old.refreshToken])
    expect(keeper.current?.accessToken).toBe(tokens[0])
  })

  test('a stale token brings another, also where time says it is good', async () => {
    const { keeper, refreshed } = bench(async () => session(600))
    const old = session(600)
    keeper.start(old)
    expect(await keeper.token(old.accessToken)).not.toBe(old.accessToken)
    expect(await keeper.token(old.accessToken)).toBe(keeper.current?.accessToken)
    expect(refreshed).toHaveLength(1)
  })

  test('what another tab refreshed meanwhile is taken', async () => {
    const { storage, api, refreshed } = bench(async () => session(600))
    const old = session(20)
    storage.set(old)
    const theirs = session(600)
    const slow = {
      ...storage,
      exclusive: async <T>(task: () => Promise<T>) => {
        storage.set(theirs)
        return task()
      },
    }
    expect(await createSession(api, slow, () => NOW).token()).toBe(theirs.accessToken)
    expect(refreshed).toEqual([])
  })

  test('ended by the server: forgotten, and everyone is told', async () => {
    const { keeper } = bench(() => Promise.reject(new KlatschError('auth.refresh_reused')))
    const told: (Session | undefined)[] = []
    keeper.start(session(1))
    keeper.onChange((now) => told.push(now))
    await expect(keeper.token()).rejects.toMatchObject({ code: 'auth.refresh_reused' })
    expect(told).toEqual([undefined])
    await expect(keeper.token()).rejects.toMatchObject({ code: 'auth.required' })
  })

  test('a server that is away ends nothing', async () => {
    const { keeper } = bench(() => Promise.reject(new KlatschError('server.unavailable')))
    keeper.start(session(1))
    await expect(keeper.token()).rejects.toMatchObject({ code: 'server.unavailable' })
    expect(keeper.current).toBeDefined()
  })

  test('an exchange whose answer was lost is repeated under the same name', async () => {
    let answers = 0
    const { keeper, exchanges } = bench(async () => {
      answers += 1
      if (answers === 1) throw new KlatschError('server.timeout')
      return session(1)
    })
    keeper.start(session(1))
    await keeper.token().catch(() => {})
    await keeper.token()
    await keeper.token()
    expect(exchanges[0]).toBeDefined()
    expect(exchanges[1]).toBe(exchanges[0])
    expect(exchanges[2]).not.toBe(exchanges[0])
  })

  test('end(): forgotten here, and told to the server', async () => {
    const { keeper, loggedOut } = bench(async () => session(600))
    const mine = session(600)
    keeper.start(mine)
    const ended = keeper.end()
    expect(keeper.current).toBeUndefined()
    await ended
    expect(loggedOut).toEqual([mine.refreshToken])
  })
})
