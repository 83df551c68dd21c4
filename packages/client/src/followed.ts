import {
  type Cursor,
  type Digest,
  type FollowMode,
  type ServerFrame,
  type StreamEvent,
  type StreamPosition,
  verifyEvent,
} from '@klatsch/contracts'
import { backoffMs, type Scheduler, StreamReader } from '@klatsch/streams'
import type { ClientEvents, FollowedStream } from './types.ts'

/** How long a hole may be mere disorder before it is filled by asking. */
const REORDER_MS = 100
/** Waits between askings that did not help. */
const HEAL_BASE_MS = 1_000
const HEAL_CAP_MS = 30_000
/** After so many fetches that did not help, a history that diverged is given up, and the stream taken up at its head. */
const TRUST_ATTEMPTS = 4

type Frame<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>
export type Told = 'event' | 'digest' | 'reset' | 'live' | 'unfollowed' | 'diverged'

/** Of all streams together, since the client was made. */
export interface StreamCounts {
  checked: number
  diverged: number
  healed: number
}

/** What a followed stream does to the world around it. */
export interface FollowedOptions {
  readonly scheduler: Scheduler
  readonly random: () => number
  /** Asks for it: by digests, from a cursor, or from wherever the server begins. */
  readonly follow: (subject: string, how: { readonly mode: 'digest' } | { readonly cursor?: Cursor }) => void
  readonly tell: <K extends Told>(name: K, value: ClientEvents[K]) => void
  /** The cursor of this stream moved. */
  readonly moved: (subject: string) => void
  /** It is live on this connection, or will not be for now: nobody needs to wait for it. */
  readonly arrived: (subject: string) => void
  readonly counts: StreamCounts
}

/**
 * One stream one follows: a reader that puts what comes in order, and that says what is missing. What is missing, or does
 * not link, is healed in one way: by following again from the last cursor that is good.
 */
export class Followed {
  readonly subject: string
  /** As `welcome` told it. */
  position: StreamPosition | undefined
  /** As it is wanted; with `digest`, events on their way are dropped, and the position stays for when it is `full` again. */
  mode: FollowMode
  live = false
  /** Asked for by name, so it is asked for again after each reconnect. */
  named: boolean
  readonly #options: FollowedOptions
  readonly #reader: StreamReader<StreamEvent>
  #digest: Digest['data'] | undefined
  /** Set while something is missing: what to stop when it no longer is. */
  #healing: { cancel: () => void } | undefined
  /** What came did not continue the history; not put right yet. */
  #diverged = false
  /** What the server said it had told, and had not: what comes until then leaves something missing. */
  #expected = 0
  /** Waiting to be taken up at the server's head, whatever that is. */
  #scratch = false

  constructor(
    subject: string,
    cursor: Cursor | undefined,
    how: { readonly mode: FollowMode; readonly named: boolean },
    options: FollowedOptions,
  ) {
    this.subject = subject
    this.mode = how.mode
    this.named = how.named
    this.#options = options
    this.#reader = new StreamReader<StreamEvent>(cursor ?? UNKNOWN)
  }

  /** Whether there is a position: one's own, or one the server gave. Without, a stream begins at its head. */
  get known(): boolean {
    return this.#reader.position.seq >= 0
  }

  get cursor(): Cursor | undefined {
    return this.known ? cursorOf(this.#reader) : undefined
  }

  get view(): FollowedStream {
    const { cursor, position, live, mode } = this
    return { cursor, position, live, mode, digest: this.#digest }
  }

  /** Whether it has all there is to its knowledge, and can be compared. */
  get comparable(): boolean {
    const { hasGap, position } = this.#reader
    return this.live && this.mode === 'full' && !hasGap && position.chain !== undefined
  }

  /** Begins anew at this place. */
  startAt(cursor: Cursor): void {
    this.#reader.reset(cursor)
  }

  event(event: StreamEvent): void {
    this.#options.counts.checked += 1
    if (!isGenuine(event)) {
      this.#fork(event.seq)
      return
    }
    if (this.#scratch || !this.known) this.#takeUp(event.seq - 1, event.prevchain)
    const verdict = this.#reader.accept(event)
    switch (verdict.kind) {
      case 'ready':
        for (const ready of verdict.events) this.#options.tell('event', ready)
        this.#options.moved(this.subject)
        if (this.#reader.hasGap || this.#reader.position.seq < this.#expected) this.#heal(REORDER_MS)
        else if (this.#expected > 0) this.#isLive()
        else this.#healed()
        return
      case 'duplicate':
        return
      case 'gap':
        this.#heal(REORDER_MS)
        return
      case 'fork':
        this.#fork(verdict.at)
        return
      default:
        verdict satisfies never
    }
  }

  digest(data: Digest['data']): void {
    const { subject } = this
    if (this.mode === 'full') {
      // On its way when the mode changed, or the server did not hear of that: it is known how far the stream is.
      if (this.#reader.position.seq >= data.head) return
      this.#expected = Math.max(this.#expected, data.head)
      this.#heal(REORDER_MS)
      return
    }
    this.#digest = data
    this.live = true
    this.#options.tell('digest', { subject, ...data })
    this.#options.arrived(subject)
  }

  /** `second`: the first of two connections told, or is telling, what the second takes for a gap. */
  reset({ subject, reason, from, head }: Frame<'reset'>, second: boolean): void {
    if (this.mode !== 'full') return
    const had = second || this.#reader.position.seq >= head
    if (reason === 'gap' && this.known && had) {
      this.liveAt(head)
      return
    }
    if (reason === 'fork') {
      this.#diverge(from)
      this.#diverged = true
    }
    this.#scratch = false
    this.#reader.reset({ seq: head })
    this.#options.moved(subject)
    this.#options.tell('reset', { subject, reason, from, head })
    this.#isLive()
  }

  /** The server has told all up to there. */
  liveAt(head: number): void {
    if (this.mode !== 'full') return
    if (this.#scratch || !this.known) this.#takeUp(head, undefined)
    if (this.#reader.position.seq < head) {
      this.#expected = head
      this.#heal(REORDER_MS)
      return
    }
    this.#isLive()
  }

  /** Asks for it again, in whatever mode, from where it is. */
  follow(): void {
    const from = this.known && !this.#scratch ? { cursor: cursorOf(this.#reader) } : {}
    this.#options.follow(this.subject, this.mode === 'digest' ? { mode: 'digest' } : from)
  }

  /** The server had no time for it: asks again after a while. */
  again(afterMs: number): void {
    if (this.#healing) return
    const { scheduler, random } = this.#options
    const wait = afterMs + HEAL_BASE_MS + backoffMs(2, HEAL_BASE_MS, HEAL_CAP_MS, random)
    const cancel = scheduler.after(wait, () => {
      this.#healing = undefined
      this.follow()
    })
    this.#healing = { cancel }
  }

  /** Nothing comes any more, for now or for good; the cursor stays. */
  pause(): void {
    this.live = false
    this.#expected = 0
    this.stopHealing()
  }

  stopHealing(): void {
    this.#healing?.cancel()
    this.#healing = undefined
  }

  #isLive(): void {
    const { seq, chain } = this.#reader.position
    // The server has nothing after this; what seemed to be there was not.
    if (this.#reader.hasGap) this.#reader.reset(chain === undefined ? { seq } : { seq, chain })
    this.#healed()
    if (!this.live) {
      this.live = true
      this.#options.tell('live', { subject: this.subject, head: seq })
    }
    this.#options.arrived(this.subject)
  }

  #diverge(at: number): void {
    this.#options.counts.diverged += 1
    this.#options.tell('diverged', { subject: this.subject, at })
  }

  #fork(at: number): void {
    this.#heal(0)
    this.live = false
    // Until it is healed, what was on its way already still comes; that is the same divergence.
    if (!this.#diverged) this.#diverge(at)
    this.#diverged = true
    this.#options.arrived(this.subject)
  }

  #heal(waitMs: number): void {
    if (this.#healing) return
    const healing = { cancel: () => {} }
    this.#healing = healing
    let attempt = 0
    let askedAfter = 0
    const { scheduler, random } = this.#options
    const ask = () => {
      const { seq } = this.#reader.position
      // What was asked for is coming: asked for again, all of it would come once more behind itself.
      const helps = attempt > 0 && seq > askedAfter
      attempt = helps ? 1 : attempt + 1
      askedAfter = seq
      if (!helps) {
        // A history that is good is kept, however long an answer takes: what comes late of it was told already.
        if (this.#diverged && attempt > TRUST_ATTEMPTS) this.#scratch = true
        this.follow()
      }
      const wait = HEAL_BASE_MS + backoffMs(attempt, HEAL_BASE_MS, HEAL_CAP_MS, random)
      healing.cancel = scheduler.after(wait, ask)
    }
    healing.cancel = scheduler.after(waitMs, ask)
  }

  #healed(): void {
    this.stopHealing()
    this.#expected = 0
    if (this.#diverged) this.#options.counts.healed += 1
    this.#diverged = false
  }

  /** Goes on at a place the server named, after one's own history led nowhere. */
  #takeUp(seq: number, chain: string | undefined): void {
    const { subject, known: had } = this
    this.#scratch = false
    this.#reader.reset(chain === undefined ? { seq } : { seq, chain })
    this.#healed()
    this.#options.moved(subject)
    if (had) {
      this.#options.tell('reset', { subject, reason: 'fork', from: this.position?.first ?? 1, head: seq })
    }
  }
}

/** A reader without any position yet. */
const UNKNOWN: Cursor = { seq: -1 }

function isGenuine(event: StreamEvent): boolean {
  try {
    return verifyEvent(event)
  } catch {
    return false
  }
}

function cursorOf(reader: StreamReader<StreamEvent>): Cursor {
  const { seq, chain } = reader.position
  return chain === undefined ? { seq } : { seq, chain }
}
