import type { Cursor } from '@klatsch/contracts'
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import type { ClientStorage, PendingCommand } from './types.ts'

interface Stores extends DBSchema {
  /** In the order in which they were written, whatever tab wrote them. */
  outbox: { key: number; value: PendingCommand; indexes: { id: string } }
  cursors: { key: string; value: Cursor }
}

/**
 * Outlives the page. One name for each user: `klatsch:<user id>`; what is in one user's outbox must not be sent
 * in another's name.
 */
export function indexedDbStorage(name: string): ClientStorage {
  let opened: Promise<IDBPDatabase<Stores>> | undefined

  function database(): Promise<IDBPDatabase<Stores>> {
    opened ??= openDB<Stores>(name, 1, {
      upgrade(db) {
        db.createObjectStore('outbox', { autoIncrement: true }).createIndex('id', 'id', { unique: true })
        db.createObjectStore('cursors')
      },
      // A later version of the page wants it, or the browser closed it: let go, and open it anew when needed.
      blocking: (_from, _to, event) => {
        ;(event.target as IDBDatabase).close()
        opened = undefined
      },
      terminated: () => {
        opened = undefined
      },
    })
    opened.catch(() => {
      opened = undefined
    })
    return opened
  }

  return {
    async load() {
      const transaction = (await database()).transaction(['outbox', 'cursors'])
      const cursors = transaction.objectStore('cursors')
      const [outbox, subjects, values] = await Promise.all([
        transaction.objectStore('outbox').getAll(),
        cursors.getAllKeys(),
        cursors.getAll(),
      ])
      return { outbox, cursors: Object.fromEntries(subjects.map((subject, i) => [subject, values[i]!])) }
    },

    async write(change) {
      const transaction = (await database()).transaction(['outbox', 'cursors'], 'readwrite')
      const outbox = transaction.objectStore('outbox')
      const cursors = transaction.objectStore('cursors')
      const keyOf = (id: string) => outbox.index('id').getKey(id)
      const changed = async () => {
        for (const command of change.add ?? []) {
          if ((await keyOf(command.id)) === undefined) await outbox.add(command)
        }
        for (const id of change.remove ?? []) {
          const key = await keyOf(id)
          if (key !== undefined) await outbox.delete(key)
        }
        for (const [subject, cursor] of Object.entries(change.cursors ?? {})) {
          if (cursor === null) await cursors.delete(subject)
          else await cursors.put(cursor, subject)
        }
      }
      // Heard at once, so that its failing while the changes are made is not an unhandled rejection.
      const done = transaction.done.then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      try {
        await changed()
      } catch (error) {
        if ((await Promise.race([done, undefined])) === undefined) transaction.abort()
        throw error
      }
      const failure = await done
      if (failure) throw failure.error
    },
  }
}
