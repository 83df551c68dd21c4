import { pause, systemScheduler } from '@klatsch/streams'
import { pick } from './random.ts'
import type { Person } from './recorder.ts'

const TICK_MS = 20
/** Someone with so many messages unanswered says nothing more for now: an outbox has an end. */
const PATIENCE = 500

export interface LoadOptions {
  readonly persons: readonly Person[]
  readonly rooms: readonly string[]
  readonly messages: number
  /** Over which the messages are spread evenly. */
  readonly durationMs: number
  readonly random: () => number
  readonly signal?: AbortSignal
}

/** Has people say things, anyone anywhere, at an even rate. Resolves when all is said; not when it is answered. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const { persons, rooms, messages, durationMs, random, signal } = options
  const start = systemScheduler.now()
  let said = 0
  while (said < messages && !signal?.aborted) {
    const due = Math.min(messages, Math.ceil(((systemScheduler.now() - start) / durationMs) * messages))
    const able = persons.filter((person) => person.waiting < PATIENCE)
    while (said < due && able.length > 0) {
      said += 1
      pick(random, able).say(pick(random, rooms), `${said} ${'x'.repeat(Math.floor(random() * 200))}`)
    }
    await pause(systemScheduler, TICK_MS, signal)
  }
}
