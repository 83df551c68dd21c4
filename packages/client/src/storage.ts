import type { Cursor } from '@klatsch/contracts'
import type { ClientStorage, PendingCommand, StorageChange } from './types.ts'

/** Lasts as long as the process or page. */
export function memoryStorage(): ClientStorage {
  const outbox = new Map<string, PendingCommand>()
  const cursors = new Map<string, Cursor>()
  return {
    async load() {
      return { outbox: [...outbox.values()], cursors: Object.fromEntries(cursors) }
    },
    async write(change) {
      for (const command of change.add ?? []) if (!outbox.has(command.id)) outbox.set(command.id, command)
      for (const id of change.remove ?? []) outbox.delete(id)
      for (const [subject, cursor] of Object.entries(change.cursors ?? {})) {
        if (cursor === null) cursors.delete(subject)
        else cursors.set(subject, cursor)
      }
    },
  }
}

/** Collects changes while one is being written, and writes them as the next: in order, one transaction at a time. */
export interface StorageWriter {
  write(change: StorageChange): void
  /** Resolves when everything given so far is written or has failed. */
  settled(): Promise<void>
}

export function storageWriter(storage: ClientStorage, failed: (error: unknown) => void): StorageWriter {
  let next: { add: PendingCommand[]; remove: string[]; cursors: Record<string, Cursor | null> } | undefined
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    // What is given in this turn belongs together: an outcome and the cursor that passes its event.
    await Promise.resolve()
    while (next) {
      const change = next
      next = undefined
      try {
        await storage.write(change)
      } catch (error) {
        failed(error)
      }
    }
    running = undefined
  }

  return {
    write(change) {
      next ??= { add: [], remove: [], cursors: {} }
      next.add.push(...(change.add ?? []))
      next.remove.push(...(change.remove ?? []))
      Object.assign(next.cursors, change.cursors)
      running ??= run()
    },
    async settled() {
      await running
    },
  }
}
