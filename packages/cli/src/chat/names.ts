import type { Api } from '@klatsch/client'
import type { User } from '@klatsch/contracts'

/** Ids of one request at most. */
const CHUNK = 50
const COLLECT_MS = 20

/** Learns who people are, once each, several at a time; who could not be asked for is asked for again when needed. */
export function names(api: Pick<Api, 'users'>, learned: (people: readonly User[]) => void) {
  const known = new Set<string>()
  let waiting = new Set<string>()
  let asking: Promise<void> = Promise.resolve()

  async function ask(): Promise<void> {
    const ids = [...waiting]
    waiting = new Set()
    for (let at = 0; at < ids.length; at += CHUNK) {
      const chunk = ids.slice(at, at + CHUNK)
      try {
        learned(await api.users(chunk))
      } catch {
        for (const id of chunk) known.delete(id)
      }
    }
  }

  return {
    /** Resolves when these have been asked for, whatever came of it. */
    need(ids: Iterable<string>): Promise<void> {
      for (const id of ids) {
        // Not a person: what the system itself does.
        if (known.has(id) || id === 'chat') continue
        known.add(id)
        if (waiting.size === 0)
          asking = new Promise((done) => setTimeout(() => void ask().then(done), COLLECT_MS))
        waiting.add(id)
      }
      return asking
    },
  }
}
