import {
  type Api,
  browserSession,
  type ClientStorage,
  createApi,
  createSession,
  createSharedClient,
  indexedDbStorage,
  type SessionKeeper,
} from '@klatsch/client'
import type { User } from '@klatsch/contracts'
import { type Chat, createChat } from './chat.ts'

/** Where the socket of this page's own server is. */
const socketUrl = (): string => `${location.origin.replace(/^http/, 'ws')}/ws`

export function createServer(): { readonly api: Api; readonly session: SessionKeeper } {
  const api: Api = createApi({ baseUrl: '', token: (stale) => session.token(stale) })
  const session: SessionKeeper = createSession(api, browserSession())
  return { api, session }
}

/**
 * Opens the chat of one person, over one connection for all tabs of this browser. Their outbox outlives the page; what
 * was read is fetched anew, so cursors are not kept.
 */
export function openChat({ api, session }: { api: Api; session: SessionKeeper }, me: User): Chat {
  const client = createSharedClient({
    name: me.id,
    // Another in each version of the page.
    build: import.meta.url,
    url: socketUrl(),
    token: (stale) => session.token(stale),
    // The list shows how many are unread; what was said is for the rooms one looks at.
    mode: 'digest',
    storage: outboxOnly(indexedDbStorage(`klatsch:${me.id}`)),
  })
  return createChat({ me, api, client })
}

function outboxOnly(storage: ClientStorage): ClientStorage {
  return {
    load: async () => ({ outbox: (await storage.load()).outbox, cursors: {} }),
    async write({ add = [], remove = [] }) {
      if (add.length + remove.length > 0) await storage.write({ add, remove })
    },
  }
}
