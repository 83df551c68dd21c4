import { pause, systemScheduler } from '@klatsch/streams'
import type { Person } from './recorder.ts'

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
    /** How far each room is, asked once nobody waits for an answer any more. */
    readonly heads: () => Promise<ReadonlyMap<string, number>>
    readonly withinMs: number
    readonly log: (line: string) => void
    readonly signal?: AbortSignal | undefined
  },
): Promise<number | undefined> {
  const { withinMs, log, signal } = options
  const start = systemScheduler.now()
  const isLate = () => systemScheduler.now() - start > withinMs || signal?.aborted === true
  while (observers.some(({ person }) => person.waiting > 0) && !isLate()) {
    await pause(systemScheduler, POLL_MS, signal)
  }
  const heads = await options.heads()
  const behind = ({ person, rooms }: Observer) =>
    rooms.filter((room) => person.head(room) < (heads.get(room) ?? 0))
  for (;;) {
    const late = observers.filter((each) => each.person.waiting > 0 || behind(each).length > 0)
    if (late.length === 0) return systemScheduler.now() - start
    if (isLate()) {
      for (const each of late)
        log(`${each.person.name} is not done: ${each.person.state}; behind in ${behind(each).length} rooms`)
      return undefined
    }
    await pause(systemScheduler, POLL_MS, signal)
  }
}
