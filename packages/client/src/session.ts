import { KlatschError, type Session, sessionSchema } from '@klatsch/contracts'
import { v7 } from 'uuid'
import type { Api } from './api.ts'
import { tokenLifeMs } from './token.ts'

/** An access token that ends sooner than this is not handed out any more. */
const SPARE_MS = 30_000

/** Where a session is kept. `exclusive` runs one task at a time over all who share the storage (tabs). */
export interface SessionStorage {
  get(): Session | undefined
  set(session: Session | undefined): void
  exclusive<T>(task: () => Promise<T>): Promise<T>
  /** Calls when another page changed it; the answer ends it. */
  watch(changed: () => void): () => void
}

export function memorySession(): SessionStorage {
  let kept: Session | undefined
  return {
    get: () => kept,
    set: (session) => {
      kept = session
    },
    exclusive: (task) => task(),
    watch: () => () => {},
  }
}

/** In `localStorage`, shared by all tabs of the page; one of them refreshes at a time where the browser has locks. */
export function browserSession(key = 'klatsch.session'): SessionStorage {
  return {
    get() {
      try {
        const parsed = sessionSchema.safeParse(JSON.parse(localStorage.getItem(key) ?? 'null'))
        return parsed.success ? parsed.data : undefined
      } catch {
        return undefined
      }
    },
    set(session) {
      if (session) localStorage.setItem(key, JSON.stringify(session))
      else localStorage.removeItem(key)
    },
    // Missing on plain-HTTP addresses.
    exclusive: async (task) => (navigator.locks ? navigator.locks.request(key, task) : task()),
    watch(changed) {
      const listener = (event: StorageEvent) => {
        if (event.key === key || event.key === null) changed()
      }
      addEventListener('storage', listener)
      return () => removeEventListener('storage', listener)
    },
  }
}

export interface SessionKeeper {
  readonly current: Session | undefined
  /** After register, login or guest. */
  start(session: Session): void
  /**
   * An access token good for a while yet, other than `stale`. Refreshes once for all who ask at a time.
   * Rejects with `auth.required` when there is no session, with another `auth.…` when it has ended (it is then forgotten),
   * and with `server.…` when the server cannot be asked now.
   */
  token(stale?: string): Promise<string>
  /** Ends it, here at once, on the server if that can be reached. */
  end(): Promise<void>
  /** Calls when it starts, is refreshed or ends, also by another tab. */
  onChange(listener: (session: Session | undefined) => void): () => void
}

/** Keeps who is logged in, with fresh tokens. */
export function createSession(
  api: Pick<Api, 'refresh' | 'logout'>,
  storage: SessionStorage = memorySession(),
  now: () => number = Date.now,
): SessionKeeper {
  const listeners = new Set<(session: Session | undefined) => void>()
  let refreshing: Promise<string> | undefined
  /** An exchange whose answer may have been lost: asked again under the same name, it is no reuse. */
  let exchange: { readonly of: string; readonly id: string } | undefined

  function tell(): void {
    for (const listener of listeners) listener(storage.get())
  }

  function keep(session: Session | undefined): void {
    storage.set(session)
    tell()
  }

  function good(stale: string | undefined): string | undefined {
    const token = storage.get()?.accessToken
    if (token === undefined || token === stale) return undefined
    const life = tokenLifeMs(token, now())
    return life === undefined || life > SPARE_MS ? token : undefined
  }

  async function refresh(stale: string | undefined): Promise<string> {
    return storage.exclusive(async () => {
      // Another tab may have done it while this one waited for its turn.
      const there = good(stale)
      if (there !== undefined) return there
      const before = storage.get()
      if (!before) throw new KlatschError('auth.required')
      try {
        if (exchange?.of !== before.refreshToken) exchange = { of: before.refreshToken, id: v7() }
        const session = await api.refresh(before.refreshToken, { id: exchange.id })
        exchange = undefined
        keep(session)
        return session.accessToken
      } catch (error) {
        const ended = error instanceof KlatschError && error.code.startsWith('auth.')
        if (ended && storage.get()?.refreshToken === before.refreshToken) keep(undefined)
        throw error
      }
    })
  }

  return {
    get current() {
      return storage.get()
    },
    start: keep,
    async token(stale) {
      const there = good(stale)
      if (there !== undefined) return there
      refreshing ??= refresh(stale).finally(() => {
        refreshing = undefined
      })
      return refreshing
    },
    async end() {
      const session = storage.get()
      // Begun before it is forgotten here: the call takes the token along.
      const told = session ? api.logout(session.refreshToken).catch(() => {}) : undefined
      keep(undefined)
      await told
    },
    onChange(listener) {
      listeners.add(listener)
      const stop = storage.watch(tell)
      return () => {
        listeners.delete(listener)
        stop()
      }
    },
  }
}
