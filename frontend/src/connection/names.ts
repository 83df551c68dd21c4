import type { Api } from '@klatsch/client'
import type { Store } from '../state/store.ts'

/** Ids of one request at most. */
const CHUNK = 50
const COLLECT_MS = 20

/** Learns who people are, once each, several at a time. */
export function names(
  store: Store,
  api: Pick<Api, 'users'>,
): { need(ids: Iterable<string>): void; again(): void } {
  const asked = new Set<string>()
  const failed = new Set<string>()
  let waiting = new Set<string>()

  function need(ids: Iterable<string>): void {
    const { people } = store.get()
    for (const id of ids) {
      if (id === '' || people[id] !== undefined || asked.has(id)) continue
      asked.add(id)
      if (waiting.size === 0) setTimeout(ask, COLLECT_MS)
      waiting.add(id)
    }
  }

  function ask(): void {
    const all = [...waiting]
    waiting = new Set()
    for (let at = 0; at < all.length; at += CHUNK) void fetchChunk(all.slice(at, at + CHUNK))
  }

  async function fetchChunk(ids: readonly string[]): Promise<void> {
    try {
      const people = await api.users(ids)
      const found = new Set(people.map((user) => user.id))
      store.dispatch({ type: 'people', people, unknown: ids.filter((id) => !found.has(id)) })
    } catch {
      for (const id of ids) failed.add(id)
    }
  }

  return {
    need,
    /** The server is there again: asks for those that could not be asked for. */
    again() {
      const ids = [...failed]
      failed.clear()
      for (const id of ids) asked.delete(id)
      need(ids)
    },
  }
}
