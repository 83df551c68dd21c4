import type { Scheduler } from '@klatsch/streams'
import type { Log } from '../types.ts'
import type { Position } from './connection.ts'
import { within } from './within.ts'

const EVERY_MS = 200
const COMMIT_MS = 5_000

/** Commits the latest positions, one request in flight, many marks in one. */
export interface Commits {
  mark(position: Position): void
  /** What is marked is not ours to commit any more. */
  forget(): void
  /** Commits what is marked now; resolves also when that failed or took longer than `ms`. */
  flush(ms: number): Promise<void>
  close(): void
}

export function commits(
  commit: (positions: readonly Position[]) => Promise<void>,
  scheduler: Scheduler,
  log: Log,
): Commits {
  const marked = new Map<string, Position>()
  let running: Promise<void> | undefined
  let cancelTimer: (() => void) | undefined
  let closed = false
  let failing = false

  async function commitMarked(): Promise<void> {
    const taken = [...marked.entries()]
    if (taken.length === 0) return
    try {
      await within(scheduler, COMMIT_MS, 'a commit', commit(taken.map(([, position]) => position)))
      for (const [key, position] of taken) if (marked.get(key) === position) marked.delete(key)
      failing = false
    } catch (error) {
      if (!failing)
        log.info({ error: String(error) }, 'positions not committed; they will be, with the next ones')
      failing = true
    }
  }

  function schedule(): void {
    if (cancelTimer || closed) return
    cancelTimer = scheduler.after(EVERY_MS, () => {
      cancelTimer = undefined
      running ??= commitMarked().finally(() => {
        running = undefined
        if (marked.size > 0) schedule()
      })
    })
  }

  return {
    mark(position) {
      marked.set(`${position.topic}/${position.partition}`, position)
      schedule()
    },
    forget() {
      marked.clear()
    },
    async flush(ms) {
      const all = (async () => {
        await running
        await commitMarked()
      })()
      await within(scheduler, ms, 'the last commit', all).catch(() => {})
    },
    close() {
      closed = true
      cancelTimer?.()
    },
  }
}
