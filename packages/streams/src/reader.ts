import type { Cursor } from '@klatsch/contracts'

/** What a reader must know of an event to judge its place. */
export interface Linked {
  readonly seq: number
  readonly prevchain: string
  readonly chain: string
}

export type Verdict<E> =
  /** These are next, in order: deliver them. */
  | { readonly kind: 'ready'; readonly events: readonly E[] }
  /** Already had. */
  | { readonly kind: 'duplicate' }
  /** Events after `after` and up to `upTo` are missing; what came is kept. Wait a moment, then fetch. */
  | { readonly kind: 'gap'; readonly after: number; readonly upTo: number }
  /** This event does not continue the history one has. Fetch again; trust neither. */
  | { readonly kind: 'fork'; readonly at: number }

/** Events beyond a hole that one reader keeps; more are dropped and fetched again with the hole. */
const MAX_WAITING = 1_000

/**
 * Turns any arrival order into a stream: each event once, in order, each linked to the one before.
 * Everything that reads events reads through this: gateways, services and clients. Pure: it does no input
 * or output and has no clock; its owner waits and fetches.
 */
export class StreamReader<E extends Linked> {
  #seq: number
  /** `undefined`: not known (a cursor without a chain), so the first event is taken on its seq alone. */
  #chain: string | undefined
  readonly #waiting = new Map<number, E>()

  constructor(at: Cursor) {
    this.#seq = at.seq
    this.#chain = at.seq === 0 ? '' : at.chain
  }

  get position(): { readonly seq: number; readonly chain: string | undefined } {
    return { seq: this.#seq, chain: this.#chain }
  }

  /** Whether events are kept that wait for a hole to be filled. */
  get hasGap(): boolean {
    return this.#waiting.size > 0
  }

  accept(event: E): Verdict<E> {
    if (event.seq <= this.#seq) return { kind: 'duplicate' }
    if (event.seq > this.#seq + 1) {
      if (this.#waiting.size < MAX_WAITING) this.#waiting.set(event.seq, event)
      return { kind: 'gap', after: this.#seq, upTo: event.seq - 1 }
    }
    const events: E[] = []
    let next: E | undefined = event
    while (next) {
      if (this.#chain !== undefined && next.prevchain !== this.#chain) {
        this.#waiting.clear()
        return events.length > 0 ? { kind: 'ready', events } : { kind: 'fork', at: next.seq }
      }
      this.#seq = next.seq
      this.#chain = next.chain
      this.#waiting.delete(next.seq)
      events.push(next)
      next = this.#waiting.get(this.#seq + 1)
    }
    return { kind: 'ready', events }
  }

  /** Starts over at another position, after a fork or a snapshot. What waited is forgotten. */
  reset(at: Cursor): void {
    this.#seq = at.seq
    this.#chain = at.seq === 0 ? '' : at.chain
    this.#waiting.clear()
  }
}
