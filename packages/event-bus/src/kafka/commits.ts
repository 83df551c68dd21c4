import type { Scheduler } from '@klatsch/streams'
import type { Consumer } from 'kafkajs'
import type { Log } from '../types.ts'
import { within } from './client.ts'

const EVERY_MS = 200
const COMMIT_MS = 5_000

/** Commits the latest positions, one request in flight, many marks in one. */
export interface Commits {
  mark(topic: string, partition: number, next: bigint): void
  /** No longer ours to commit. */
  forget(topic: string, partition: number): void
  /** Commits what is marked now; resolves also when that failed or took longer than `ms`. */
  flush(ms: number): Promise<void>
  close(): void
}

export function commits(consumer: () => Consumer | undefined, scheduler: Scheduler, log: Log): Commits {
  const marked = new Map<string, { topic: string; partition: number; next: bigint }>()
  let running: Promise<void> | undefined
  let cancelTimer: (() => void) | undefined
  let closed = false

  async function commit(): Promise<void> {
    const to = consumer()
    const taken = [...marked.entries()]
    if (!to || taken.length === 0) return
    try {
      const offsets = taken.map(([, m]) => ({
        topic: m.topic,
        partition: m.partition,
        offset: String(m.next),
      }))
      await within(COMMIT_MS, 'a commit', to.commitOffsets(offsets))
      for (const [key, mark] of taken) if (marked.get(key) === mark) marked.delete(key)
    } catch (error) {
      log.info({ error: String(error) }, 'positions not committed; they will be, with the next ones')
    }
  }

  function schedule(): void {
    if (cancelTimer || closed) return
    cancelTimer = scheduler.after(EVERY_MS, () => {
      cancelTimer = undefined
      running ??= commit().finally(() => {
        running = undefined
        if (marked.size > 0) schedule()
      })
    })
  }

  return {
    mark(topic, partition, next) {
      marked.set(`${topic}/${partition}`, { topic, partition, next })
      schedule()
    },
    forget(topic, partition) {
      marked.delete(`${topic}/${partition}`)
    },
    async flush(ms) {
      const all = (async () => {
        await running
        await commit()
      })()
      await within(ms, 'the last commit', all).catch(() => {})
    },
    close() {
      closed = true
      cancelTimer?.()
    },
  }
}
