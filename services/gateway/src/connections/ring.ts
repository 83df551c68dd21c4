import type { Head } from '@klatsch/contracts'
import type { FeedEvent } from './feed-event.ts'

/** The latest events of one stream, contiguous, for resumes from memory. */
export class Ring {
  #events: FeedEvent[] = []
  #bytes = 0
  readonly #budget: RingBudget

  constructor(budget: RingBudget) {
    this.#budget = budget
  }

  push(event: FeedEvent): void {
    this.#events.push(event)
    this.#add(event.frame.length)
    this.#budget.touch(this)
    while (this.#events.length > this.#budget.eventsPerStream || this.#bytes > this.#budget.bytesPerStream) {
      this.#add(-(this.#events.shift()?.frame.length ?? 0))
    }
  }

  /** Puts a contiguous run before what is here, as much of its end as there is room for; `head`: of the stream. */
  prepend(events: readonly FeedEvent[], head: Head): void {
    const first = this.#events[0]
    const next = first ? { seq: first.seq - 1, chain: first.prevchain } : head
    let end = events.length
    while (end > 0 && events[end - 1]!.seq > next.seq) end -= 1
    const last = events[end - 1]
    if (last?.seq !== next.seq || last.chain !== next.chain) return
    let from = end
    for (let bytes = this.#bytes; from > 0; from -= 1) {
      bytes += events[from - 1]!.frame.length
      const count = this.#events.length + end - from + 1
      if (count > this.#budget.eventsPerStream || bytes > this.#budget.bytesPerStream) break
    }
    if (from === end) return
    const kept = events.slice(from, end)
    this.#events = [...kept, ...this.#events]
    this.#add(kept.reduce((sum, event) => sum + event.frame.length, 0))
    this.#budget.touch(this)
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    this.#budget.used += bytes
  }

  /** All events after `seq`, or undefined when some of them are no longer here. */
  after(seq: number): readonly FeedEvent[] | undefined {
    const first = this.#events[0]
    if (!first || first.seq > seq + 1) return undefined
    return this.#events.slice(seq + 1 - first.seq)
  }

  /** The chain at `seq`, where it is known here. */
  chainAt(seq: number): string | undefined {
    const first = this.#events[0]
    if (!first) return undefined
    if (seq === first.seq - 1) return first.prevchain
    return this.#events[seq - first.seq]?.chain
  }

  clear(): void {
    this.#add(-this.#bytes)
    this.#events = []
    this.#budget.forget(this)
  }
}

/** The bound over all rings together, in bytes: above it the ring longest unused is emptied. */
export class RingBudget {
  used = 0
  readonly eventsPerStream = 256
  readonly bytesPerStream = 256 * 1024
  readonly #limit: number
  readonly #byUse = new Set<Ring>()

  constructor(limitBytes: number) {
    this.#limit = limitBytes
  }

  touch(ring: Ring): void {
    this.#byUse.delete(ring)
    this.#byUse.add(ring)
    while (this.used > this.#limit && this.#byUse.size > 1) {
      for (const oldest of this.#byUse) {
        oldest.clear()
        break
      }
    }
  }

  forget(ring: Ring): void {
    this.#byUse.delete(ring)
  }
}
