import { pause, systemScheduler } from '@klatsch/streams'
import type { Person } from './recorder.ts'
import { readPostgres } from './records.ts'

const POLL_MS = 250

/** Somebody, and the rooms of which they must have everything. */
export interface Observer {
  readonly person: Person
  readonly rooms: readonly string[]
}

/**
 * Waits until no send is open and everyone has their rooms to the end. Resolves with how long that took, in milliseconds;
 * undefined when it was not so within `withinMs`, and the log says who was late.
 */
export async function settle(
  observers: readonly Observer[],
  options: {
    readonly databaseUrl: string
    readonly rooms: readonly string[]
    readonly withinMs: number
    readonly log: (line: string) => void
    readonly signal?: AbortSignal | undefined
  },
): Promise<number | undefined> {
  const { databaseUrl, rooms, withinMs, log, signal } = options
  const start = systemScheduler.now()
  const answered = () => observers.every(({ person }) => person.waiting === 0)
  while (!answered() && systemScheduler.now() - start < withinMs && !signal?.aborted) {
    await pause(systemScheduler, POLL_MS, signal)
  }
  const heads = new Map<string, number>()
  for (const { room, seq } of (await readPostgres(databaseUrl, rooms)).reads) {
    heads.set(room, Math.max(heads.get(room) ?? 0, seq))
  }
  const behind = ({ person, rooms }: Observer) =>
    rooms.filter((room) => person.head(room) < (heads.get(room) ?? 0))
  for (;;) {
    const late = observers.filter((each) => each.person.waiting > 0 || behind(each).length > 0)
    if (late.length === 0) return systemScheduler.now() - start
    if (systemScheduler.now() - start > withinMs || signal?.aborted) {
      for (const each of late)
        log(`${each.person.name} is not done: ${each.person.state}; behind in ${behind(each).length} rooms`)
      return undefined
    }
    await pause(systemScheduler, POLL_MS, signal)
  }
}
