import { KlatschError, type Session } from '@klatsch/contracts'
import { type Api, createApi } from './api.ts'
import { createClient } from './client.ts'
import { createSession, type SessionKeeper } from './session.ts'
import type { Client, ClientOptions } from './types.ts'

export interface Connected {
  readonly me: Session['user']
  readonly api: Api
  /** Connected and live, and kept so; `close()` ends it. */
  readonly client: Client
  /** `end()` logs out. */
  readonly session: SessionKeeper
}

/**
 * Comes in as somebody and connects: all that a bot needs. `server` is `http://host:port`; `enter` answers who it is
 * (`api.guest`, `api.login`, `api.register`). Resolves with the first welcome. Rejects with a `KlatschError`: that of
 * `enter`, or why the client stopped before it was ever welcomed.
 */
export async function connectAs(
  server: string,
  enter: (api: Api) => Promise<Session>,
  options: Partial<ClientOptions> = {},
): Promise<Connected> {
  const token = (stale?: string) => session.token(stale)
  const api = createApi({ baseUrl: server, token })
  const session = createSession(api)
  const entered = await enter(api)
  session.start(entered)
  const client = createClient({ url: `${server.replace(/^http/, 'ws')}/ws`, token, ...options })
  const welcomed = new Promise<void>((resolve, reject) => {
    client.on('welcome', () => resolve())
    client.on('state', (state) => {
      if (state.kind !== 'stopped') return
      reject(new KlatschError(state.code ?? 'server.unavailable', `never connected: ${state.reason}`))
    })
  })
  client.connect()
  await welcomed
  return { me: entered.user, api, client, session }
}
