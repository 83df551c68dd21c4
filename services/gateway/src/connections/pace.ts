import type { Scheduler } from '@klatsch/streams'

/** What those who catch up may be pushed in one turn of the event loop, all together. */
const TURN_BYTES = 4 * 1024 * 1024
/** What a push costs at least, and so how many there are in a turn at most. */
const LEAST_BYTES = 16 * 1024

/**
 * Spreads the work of catching up over turns, so that live events, commands and heartbeats have theirs in between
 * however many come back at once. First come, first served.
 */
export class Pace {
  readonly #scheduler: Scheduler
  #left = TURN_BYTES
  #waiting: (() => void)[] = []
  #scheduled = false

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  /** Those that wait for another turn. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves when there is room for another push: undefined when there is now. */
  room(): Promise<void> | undefined {
    if (this.#left > 0 && this.#waiting.length === 0) return undefined
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#schedule()
    })
  }

  spend(bytes: number): void {
    this.#left -= Math.max(LEAST_BYTES, bytes)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#scheduler.after(0, () => {
      this.#scheduled = false
      this.#left = TURN_BYTES
      const next = this.#waiting.splice(0, TURN_BYTES / LEAST_BYTES)
      for (const resolve of next) resolve()
      if (this.#waiting.length > 0) this.#schedule()
    })
  }
}
