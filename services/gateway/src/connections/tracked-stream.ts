import type { Bugs, StreamTip } from '@klatsch/contracts'
import { StreamReader } from '@klatsch/streams'
import { digestFrame } from './digest-frame.ts'
import type { FeedEvent } from './feed-event.ts'
import { Ring, type RingBudget } from './ring.ts'
import { SmallSet } from './small-set.ts'
import type { Subscription } from './subscription.ts'

export type Arrival =
  | { readonly kind: 'ready'; readonly events: readonly FeedEvent[] }
  | { readonly kind: 'hole' }
  | { readonly kind: 'fork' }
  | { readonly kind: 'nothing' }

/** One stream that some socket here follows: reads it in order, and hands each event to those who are live, once. */
export class TrackedStream {
  readonly subject: string
  /** A hole or a fork is being healed. */
  healing = false
  /** The stream is known to reach this seq. */
  expected = 0
  /** When the last subscription ended; undefined while there are some. */
  unusedSince: number | undefined
  readonly #reader: StreamReader<FeedEvent>
  #head: StreamTip
  #digest: { readonly seq: number; readonly frame: Buffer } | undefined
  #pending: Buffer[] = []
  readonly #live = new SmallSet<Subscription>()
  readonly #behind = new SmallSet<Subscription>()
  readonly #digested = new SmallSet<Subscription>()
  readonly #ring: Ring
  /** A deliberate bug: who has no room is passed over. */
  readonly #drops: boolean

  constructor(subject: string, head: StreamTip, budget: RingBudget, bugs: Bugs) {
    this.subject = subject
    this.#drops = bugs.has('lagging-drops')
    this.#head = head
    this.#reader = new StreamReader(head)
    this.#ring = new Ring(budget)
  }

  /** Of the last event appended. */
  get head(): StreamTip {
    return this.#head
  }

  get hasHole(): boolean {
    return this.#reader.hasGap
  }

  get subscriptions(): Iterable<Subscription> {
    return [...this.#live, ...this.#behind, ...this.#digested]
  }

  /** Those that get digests. */
  get digested(): Iterable<Subscription> & { readonly size: number } {
    return this.#digested
  }

  /** Those that pull. */
  get behind(): Iterable<Subscription> {
    return this.#behind
  }

  /** Judges an event's place. What is ready must be appended, one by one, in order. */
  accept(event: FeedEvent): Arrival {
    const verdict = this.#reader.accept(event)
    switch (verdict.kind) {
      case 'ready':
        return verdict
      case 'duplicate':
        return { kind: 'nothing' }
      case 'gap':
        return { kind: 'hole' }
      case 'fork':
        return { kind: 'fork' }
    }
  }

  append(event: FeedEvent): void {
    const { seq, chain, time } = event
    this.#head = { seq, chain, time, messageNo: event.messageNo ?? this.#head.messageNo }
    this.#ring.push(event)
    if (this.#live.size > 0) this.#pending.push(event.frame)
  }

  /**
   * Pushes what was appended since the last flush to all who are live. Who is congested stops being live at the last
   * flush: it pulls the rest when it has room again. Answers how many deliveries that were.
   */
  flush(): number {
    const count = this.#pending.length
    if (count === 0) return 0
    const frames = count === 1 ? this.#pending[0]! : Buffer.concat(this.#pending)
    this.#pending = []
    const flushed = this.#head.seq - count
    let delivered = 0
    for (const subscription of this.#live) {
      if (subscription.subscriber.congested) {
        if (this.#drops) continue
        this.#live.delete(subscription)
        this.#behind.add(subscription)
        subscription.live = false
        subscription.sent = flushed
        subscription.chain = undefined
      } else {
        subscription.subscriber.push(frames)
        delivered += count
      }
    }
    return delivered
  }

  /** The events after `seq` from memory, or undefined when they must be fetched. */
  recent(seq: number): readonly FeedEvent[] | undefined {
    return this.#ring.after(seq)
  }

  /** Keeps events that were fetched, where they lead up to those in memory or to the head. */
  remember(events: readonly FeedEvent[]): void {
    this.#ring.prepend(events, this.#head)
  }

  chainAt(seq: number): string | undefined {
    return seq === this.#head.seq ? this.#head.chain : this.#ring.chainAt(seq)
  }

  /** How far the stream is, as a frame: built once, whoever gets it. */
  digest(): Buffer {
    if (this.#digest?.seq !== this.#head.seq) {
      this.#digest = { seq: this.#head.seq, frame: digestFrame(this.subject, this.#head) }
    }
    return this.#digest.frame
  }

  add(subscription: Subscription): void {
    if (subscription.mode === 'digest') this.#digested.add(subscription)
    else this.#behind.add(subscription)
    this.unusedSince = undefined
  }

  /** To be called with nothing pending (after `flush`) and `sent` equal to the head. */
  goLive(subscription: Subscription): void {
    subscription.live = true
    this.#behind.delete(subscription)
    this.#live.add(subscription)
  }

  remove(subscription: Subscription, now: number): void {
    subscription.over = true
    this.#live.delete(subscription)
    this.#behind.delete(subscription)
    this.#digested.delete(subscription)
    if (this.#live.size + this.#behind.size + this.#digested.size === 0) this.unusedSince = now
  }

  /** Starts over at another history. */
  restart(head: StreamTip): void {
    this.#reader.reset(head)
    this.#head = head
    this.expected = 0
    this.#digest = undefined
    this.#pending = []
    this.#ring.clear()
  }

  close(): void {
    this.#ring.clear()
  }
}
