import type { Cursor } from '@klatsch/contracts'

/** What a reader must know of an event to judge its place. */
export interface Linked {
  readonly seq: number
  readonly prevchain: string
  readonly chain: string
}

/** Seqs known to exist and not had: above `after` and up to `upTo`; not always all of them. */
export interface Gap {
  readonly after: number
  readonly upTo: number
}

export type Verdict<E> =
  /** These are next, in order: deliver them. Then look at `gap`: something may still be missing. */
  | { readonly kind: 'ready'; readonly events: readonly E[] }
  /** Already had, or already waiting. */
  | { readonly kind: 'duplicate' }
  /** Events between the position and this one are missing; what came is kept. Wait a moment, then fetch. */
  | ({ readonly kind: 'gap' } & Gap)
  /** This event does not continue the history one has. Fetch again; trust neither. */
  | { readonly kind: 'fork'; readonly at: number }

/** Events beyond a hole that one reader keeps; more are dropped, and show as a `gap` until fetched again. */
const MAX_WAITING = 1_000

/**
 * Turns any arrival order into a stream: each event once, in order, each linked to the one before.
 * Everything that reads events reads through this: gateways, services and clients. Pure: it does no input
 * or output and has no clock; its owner waits and fetches.
 *
 * Nothing that was seen is forgotten in silence: as long as an event of a higher seq has come than the
 * position, `gap` says what to fetch, also when that event was dropped for its place in a forked history
 * or for want of room.
 */
export class StreamReader<E extends Linked> {
  #seq: number
  /** `undefined`: not known (a cursor without a chain), so the first event is taken on its seq alone. */
  #chain: string | undefined
  /** The highest seq that was ever seen since the last reset. */
  #seen: number
  /** Nearly always nothing waits, and there is nearly always a reader more. */
  #waiting: Map<number, E> | undefined

  constructor(at: Cursor) {
    this.#seq = at.seq
    this.#chain = at.seq === 0 ? '' : at.chain
    this.#seen = at.seq
  }

  get position(): { readonly seq: number; readonly chain: string | undefined } {
    return { seq: this.#seq, chain: this.#chain }
  }

  /** What is known to exist beyond the position and is not here; undefined when nothing is. */
  get gap(): Gap | undefined {
    if (!this.hasGap) return undefined
    let first = this.#seen + 1
    for (const seq of this.#waiting?.keys() ?? []) if (seq < first) first = seq
    return { after: this.#seq, upTo: first - 1 }
  }

  get hasGap(): boolean {
    return this.#seen > this.#seq
  }

  accept(event: E): Verdict<E> {
    if (event.seq === this.#seq && this.#chain !== undefined && event.chain !== this.#chain) {
      return { kind: 'fork', at: event.seq }
    }
    if (event.seq <= this.#seq) return { kind: 'duplicate' }
    if (event.seq > this.#seen) this.#seen = event.seq
    if (event.seq > this.#seq + 1) return this.#keep(event)
    if (!this.#follows(event)) {
      this.#waiting = undefined
      return { kind: 'fork', at: event.seq }
    }
    return { kind: 'ready', events: this.#advance(event) }
  }

  /** Starts over at another position, after a fork or a snapshot. What waited is forgotten. */
  reset(at: Cursor): void {
    this.#seq = at.seq
    this.#chain = at.seq === 0 ? '' : at.chain
    this.#seen = at.seq
    this.#waiting = undefined
  }

  #follows(event: E): boolean {
    return this.#chain === undefined || event.prevchain === this.#chain
  }

  #keep(event: E): Verdict<E> {
    this.#waiting ??= new Map()
    if (this.#waiting.has(event.seq)) {
      // Of two that claim one place the later is kept: it may be the answer to a fetch.
      this.#waiting.set(event.seq, event)
      return { kind: 'duplicate' }
    }
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(event.seq, event)
    return { kind: 'gap', after: this.#seq, upTo: event.seq - 1 }
  }

  #advance(first: E): readonly E[] {
    const events: E[] = []
    let next: E | undefined = first
    while (next && this.#follows(next)) {
      this.#seq = next.seq
      this.#chain = next.chain
      this.#waiting?.delete(next.seq)
      events.push(next)
      next = this.#waiting?.get(this.#seq + 1)
    }
    // What waited is of another history from here on: `gap` keeps saying that something is to be fetched.
    if (next || this.#waiting?.size === 0) this.#waiting = undefined
    return events
  }
}
