import { pause, systemScheduler } from '@klatsch/streams'
import { pick } from '../random.ts'
import type { Observer } from './settle.ts'

const TICK_MS = 20
/** What a message begins with. */
const NUMBER_CHARS = 10
/** Someone with so many messages unanswered says nothing more for now: an outbox has an end. */
const PATIENCE = 500

export interface LoadOptions {
  /** Each says things in the rooms that are theirs. */
  readonly observers: readonly Observer[]
  readonly perSecond: number
  /** Of a message, at most; 200 when absent. */
  readonly chars?: number
  /** Asked all the time; no more is said once it says so. */
  readonly over: (elapsedMs: number) => boolean
  readonly random: () => number
}

/** Has people say things, anyone anywhere, at an even rate. Resolves when all is said; not when it is answered. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const { observers, perSecond, chars = 200, over, random } = options
  const start = systemScheduler.now()
  for (let said = 0; ; ) {
    const elapsedMs = systemScheduler.now() - start
    if (over(elapsedMs)) return
    const due = Math.ceil((elapsedMs / 1_000) * perSecond)
    let able = observers.filter(({ person }) => person.waiting < PATIENCE)
    while (said < due && able.length > 0) {
      said += 1
      const { person, rooms } = pick(random, able)
      person.say(pick(random, rooms), `${said} ${'x'.repeat(Math.floor(random() * (chars - NUMBER_CHARS)))}`)
      if (person.waiting >= PATIENCE) able = able.filter((other) => other.person !== person)
    }
    await pause(systemScheduler, TICK_MS)
  }
}
