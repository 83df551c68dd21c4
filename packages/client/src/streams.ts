import {
  type ClientFrameInput,
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
/** After so many fetches that did not help, one's own history is given up and the stream taken up at its head. */
const TRUST_ATTEMPTS = 4
/** Cursors that one ping carries for comparison. */
const SAMPLE = 20

interface Followed {
  readonly reader: StreamReader<StreamEvent>
  position: StreamPosition | undefined
  /** As it is wanted; with `digest`, events on their way are dropped, and the position stays for when it is `full` again. */
  mode: FollowMode
  digest: Digest['data'] | undefined
  live: boolean
  /** Asked for by name, so it is asked for again after each reconnect. */
  named: boolean
  /** Set while something is missing: what to stop when it no longer is, and how often was asked. */
  healing: { cancel: () => void; attempt: number } | undefined
  /** What came did not continue the history; not put right yet. */
  diverged: boolean
  /** What the server said it had told, and had not: what comes until then leaves something missing. */
  expected: number
  /** Waiting to be taken up at the server's head, whatever that is. */
  scratch: boolean
}

type Frame<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>
type Told = 'event' | 'digest' | 'reset' | 'live' | 'unfollowed' | 'diverged'

export interface StreamsOptions {
  readonly follow: 'all' | readonly string[]
  /** Of rooms that nothing else was said about. */
  readonly mode: FollowMode
  readonly scheduler: Scheduler
  readonly random: () => number
  readonly send: (frame: ClientFrameInput) => boolean
  readonly tell: <K extends Told>(name: K, value: ClientEvents[K]) => void
  /** The cursor of this stream moved, or is forgotten. */
  readonly moved: (subject: string) => void
  /** All that was live on the first of two connections is live on the second. */
  readonly caughtUp: () => void
}

/**
 * The streams one follows: each with a reader that puts what comes in order, and that says what is missing.
 * What is missing, or does not link, is healed in one way: by following again from the last cursor that is good.
 */
export class Streams {
  readonly #options: StreamsOptions
  readonly #all = new Map<string, Followed>()
  /** What the owner unfollowed: events still on their way are dropped, also where all is followed. */
  readonly #unfollowed = new Set<string>()
  readonly #sentWithHello = new Set<string>()
  /** Where those were that ended between the second `hello` and its welcome: it may still tell of them. */
  #ended: Map<string, Cursor> | undefined
  /** What a welcome has followed from a cursor, until it is sent together. */
  #gathered: Map<string, Cursor> | undefined
  /** While there are two connections: what was live on the first and is not yet on the second. */
  #awaited: Set<string> | undefined
  #checked = 0
  #diverged = 0
  #healings = 0

  constructor(options: StreamsOptions) {
    this.#options = options
    if (options.follow !== 'all') for (const subject of options.follow) this.#add(subject, undefined, true)
  }

  get counts(): { readonly checked: number; readonly diverged: number; readonly healed: number } {
    return { checked: this.#checked, diverged: this.#diverged, healed: this.#healings }
  }

  get view(): ReadonlyMap<string, FollowedStream> {
    return new Map(
      [...this.#all].map(([subject, { position, live, mode, digest }]) => [
        subject,
        { cursor: this.cursor(subject), position, live, mode, digest },
      ]),
    )
  }

  cursor(subject: string): Cursor | undefined {
    const followed = this.#all.get(subject)
    return followed && this.#known(followed) ? cursorOf(followed.reader) : undefined
  }

  /** Takes up the cursors that an earlier run kept. */
  load(cursors: Readonly<Record<string, Cursor>>): void {
    for (const [subject, cursor] of Object.entries(cursors)) {
      const followed = this.#all.get(subject)
      if (followed && !this.#known(followed)) followed.reader.reset(cursor)
      else if (!followed && this.#options.follow === 'all') this.#add(subject, cursor, false)
    }
  }

  /**
   * What a `hello` asks for, within so many bytes; what does not fit is followed after the welcome. `second`: the
   * first connection goes on telling.
   */
  hello(maxBytes: number, second = false) {
    const cursors: Record<string, Cursor> = {}
    const full: string[] = []
    const { follow, mode } = this.#options
    let bytes = 0
    this.#sentWithHello.clear()
    this.#ended = second ? new Map() : undefined
    for (const [subject, followed] of this.#all) {
      const digested = mode === 'digest' && followed.mode === 'digest'
      if (!digested || follow !== 'all') bytes += 3 * (subject.length + 3) + BYTES_OF_CURSOR
      if (bytes > maxBytes) break
      if (!digested && this.#known(followed)) cursors[subject] = cursorOf(followed.reader)
      if (mode === 'digest' && !digested) full.push(subject)
      this.#sentWithHello.add(subject)
    }
    return {
      follow: follow === 'all' ? ('all' as const) : [...this.#sentWithHello],
      cursors,
      ...(mode === 'digest' ? { mode, full } : {}),
    }
  }

  /** `second`: from now on the first connection only tells events of streams that are known; all else comes by this one. */
  welcome(positions: readonly StreamPosition[], second = false): void {
    const ended = this.#ended
    this.#ended = undefined
    this.#gathered = new Map()
    this.#awaited = second
      ? new Set([...this.#all].flatMap(([subject, { live }]) => (live ? [subject] : [])))
      : undefined
    for (const position of positions) {
      if (this.#unfollowed.has(position.subject)) {
        this.#options.send({ type: 'unfollow', subject: position.subject })
        continue
      }
      const before = this.#all.get(position.subject)
      const followed = before ?? this.#add(position.subject, ended?.get(position.subject), false)
      followed.position = position
      if (followed.mode === 'full' && !this.#known(followed)) {
        followed.reader.reset({ seq: position.head })
        this.#options.moved(position.subject)
      }
      // What `hello` could not say.
      const said = this.#sentWithHello.has(position.subject)
      if (before && !(said && (followed.mode === 'full' || this.#options.mode === 'digest')))
        this.#follow(position.subject, followed)
    }
    const there = new Set(positions.map((p) => p.subject))
    for (const [subject, followed] of [...this.#all]) {
      if (there.has(subject)) continue
      // Where it was asked for and left out, or joined since, asking by name brings the reason.
      if (followed.named || !this.#sentWithHello.has(subject)) this.#follow(subject, followed)
      else this.unfollowed({ type: 'unfollowed', subject, code: 'room.not_found' })
    }
    this.#sendGathered()
    if (this.#awaited?.size === 0) this.#options.caughtUp()
  }

  /** Many streams go in few frames. */
  #sendGathered(): void {
    const all = [...(this.#gathered ?? [])]
    this.#gathered = undefined
    if (all.length === 1) this.#options.send({ type: 'follow', subject: all[0]![0], cursor: all[0]![1] })
    else
      for (let at = 0; at < all.length; at += CURSORS_OF_FRAME)
        this.#options.send({
          type: 'follow',
          cursors: Object.fromEntries(all.slice(at, at + CURSORS_OF_FRAME)),
        })
  }

  /** The first of two connections is closed. */
  moved(): void {
    for (const subject of this.#awaited ?? []) {
      const followed = this.#all.get(subject)
      if (followed) followed.live = false
    }
    this.#awaited = undefined
  }

  /** `leaving`: told by the first of two connections. */
  event(event: StreamEvent, leaving = false): void {
    const { subject } = event
    if (this.#unfollowed.has(subject)) return
    const followed = this.#all.get(subject) ?? (leaving ? undefined : this.#joined(event))
    if (followed?.mode !== 'full') return
    this.#checked += 1
    if (!isGenuine(event)) {
      this.#fork(subject, followed, event.seq)
      return
    }
    if (followed.scratch || !this.#known(followed))
      this.#takeUp(subject, followed, event.seq - 1, event.prevchain)
    const verdict = followed.reader.accept(event)
    switch (verdict.kind) {
      case 'ready':
        for (const ready of verdict.events) this.#options.tell('event', ready)
        this.#options.moved(subject)
        if (followed.reader.hasGap || followed.reader.position.seq < followed.expected)
          this.#heal(subject, followed, REORDER_MS)
        else if (followed.expected > 0) this.#live(subject, followed)
        else this.#healed(followed)
        return
      case 'duplicate':
        return
      case 'gap':
        this.#heal(subject, followed, REORDER_MS)
        return
      case 'fork':
        this.#fork(subject, followed, verdict.at)
        return
      default:
        verdict satisfies never
    }
  }

  /** How far a stream is that is followed by digests; with `all`, also one joined just now. */
  digest({ subject, data }: Digest): void {
    if (this.#unfollowed.has(subject)) return
    const { follow } = this.#options
    const followed =
      this.#all.get(subject) ?? (follow === 'all' ? this.#add(subject, undefined, false) : undefined)
    if (!followed) return
    if (followed.mode === 'full') {
      // On its way when the mode changed, or the server did not hear of that: it is known how far the stream is.
      if (followed.reader.position.seq >= data.head) return
      followed.expected = Math.max(followed.expected, data.head)
      this.#heal(subject, followed, REORDER_MS)
      return
    }
    followed.digest = data
    followed.live = true
    this.#options.tell('digest', { subject, ...data })
    this.#arrived(subject)
  }

  reset(frame: Frame<'reset'>): void {
    if (this.#unfollowed.has(frame.subject)) return
    const followed = this.#all.get(frame.subject) ?? this.#add(frame.subject, undefined, false)
    if (followed.mode !== 'full') return
    // The first of two connections told, or is telling, what the second takes for a gap.
    const had = this.#awaited !== undefined || followed.reader.position.seq >= frame.head
    if (frame.reason === 'gap' && this.#known(followed) && had) {
      this.live({ type: 'live', subject: frame.subject, head: frame.head })
      return
    }
    if (frame.reason === 'fork') {
      this.#diverge(frame.subject, frame.from)
      followed.diverged = true
    }
    followed.scratch = false
    followed.reader.reset({ seq: frame.head })
    this.#options.moved(frame.subject)
    const { subject, reason, from, head } = frame
    this.#options.tell('reset', { subject, reason, from, head })
    this.#live(subject, followed)
  }

  live(frame: Frame<'live'>): void {
    if (this.#unfollowed.has(frame.subject)) return
    const followed = this.#all.get(frame.subject) ?? this.#add(frame.subject, { seq: frame.head }, false)
    if (followed.mode !== 'full') return
    if (followed.scratch || !this.#known(followed))
      this.#takeUp(frame.subject, followed, frame.head, undefined)
    const { seq } = followed.reader.position
    if (seq < frame.head) {
      followed.expected = frame.head
      this.#heal(frame.subject, followed, REORDER_MS)
      return
    }
    this.#live(frame.subject, followed)
  }

  unfollowed(frame: Frame<'unfollowed'> | { type: 'unfollowed'; subject: string; code: string }): void {
    const followed = this.#all.get(frame.subject)
    if (!followed) return
    this.#forget(frame.subject, followed)
    const seq = 'seq' in frame && frame.seq !== undefined ? { seq: frame.seq } : {}
    this.#options.tell('unfollowed', { subject: frame.subject, code: frame.code, ...seq })
  }

  follow(subject: string, { cursor, mode = 'full' }: { cursor?: Cursor; mode?: FollowMode } = {}): void {
    this.#unfollowed.delete(subject)
    const followed = this.#all.get(subject) ?? this.#add(subject, cursor, true)
    followed.named = true
    const wanted = isRoom(subject) ? mode : 'full'
    if (followed.live && followed.mode === wanted && !cursor) return
    followed.mode = wanted
    if (cursor) followed.reader.reset(cursor)
    followed.live = false
    followed.expected = 0
    followed.healing?.cancel()
    followed.healing = undefined
    this.#awaited?.add(subject)
    this.#follow(subject, followed)
  }

  unfollow(subject: string): void {
    this.#unfollowed.add(subject)
    const followed = this.#all.get(subject)
    if (!followed) return
    this.#options.send({ type: 'unfollow', subject })
    this.#forget(subject, followed)
  }

  #forget(subject: string, followed: Followed): void {
    followed.healing?.cancel()
    if (this.#known(followed)) this.#ended?.set(subject, cursorOf(followed.reader))
    this.#all.delete(subject)
    this.#options.moved(subject)
    this.#arrived(subject)
  }

  #arrived(subject: string): void {
    if (this.#awaited?.delete(subject) && this.#awaited.size === 0) this.#options.caughtUp()
  }

  /** The connection is gone; the cursors stay. */
  closed(): void {
    this.#awaited = undefined
    for (const followed of this.#all.values()) {
      followed.live = false
      followed.expected = 0
      followed.healing?.cancel()
      followed.healing = undefined
    }
  }

  /** Some cursors of streams that have caught up, for the server to compare. */
  sample(): Record<string, Cursor> {
    const live = [...this.#all].filter(
      ([, f]) => f.live && f.mode === 'full' && !f.reader.hasGap && f.reader.position.chain !== undefined,
    )
    const start = Math.floor(this.#options.random() * live.length)
    const some = [...live.slice(start), ...live.slice(0, start)].slice(0, SAMPLE)
    return Object.fromEntries(some.map(([subject, { reader }]) => [subject, cursorOf(reader)]))
  }

  #add(subject: string, cursor: Cursor | undefined, named: boolean): Followed {
    const followed: Followed = {
      reader: new StreamReader<StreamEvent>(cursor ?? UNKNOWN),
      position: undefined,
      mode: isRoom(subject) ? this.#options.mode : 'full',
      digest: undefined,
      live: false,
      named,
      healing: undefined,
      diverged: false,
      expected: 0,
      scratch: false,
    }
    this.#all.set(subject, followed)
    return followed
  }

  /** An event of a stream one did not know: with `all`, that is a room joined just now. */
  #joined(event: StreamEvent): Followed | undefined {
    if (this.#options.follow !== 'all') return undefined
    const followed = this.#add(event.subject, { seq: event.seq - 1, chain: event.prevchain }, false)
    followed.live = true
    return followed
  }

  /** Whether there is a position: one's own, or one the server gave. Without, a stream begins at its head. */
  #known(followed: Followed): boolean {
    return followed.reader.position.seq >= 0
  }

  #live(subject: string, followed: Followed): void {
    const { seq, chain } = followed.reader.position
    // The server has nothing after this; what seemed to be there was not.
    if (followed.reader.hasGap) followed.reader.reset(chain === undefined ? { seq } : { seq, chain })
    this.#healed(followed)
    if (!followed.live) {
      followed.live = true
      this.#options.tell('live', { subject, head: seq })
    }
    this.#arrived(subject)
  }

  #diverge(subject: string, at: number): void {
    this.#diverged += 1
    this.#options.tell('diverged', { subject, at })
  }

  #fork(subject: string, followed: Followed, at: number): void {
    this.#heal(subject, followed, 0)
    followed.live = false
    // Until it is healed, what was on its way already still comes; that is the same divergence.
    if (!followed.diverged) this.#diverge(subject, at)
    followed.diverged = true
    this.#arrived(subject)
  }

  #heal(subject: string, followed: Followed, waitMs: number): void {
    if (followed.healing) return
    const healing = { cancel: () => {}, attempt: 0 }
    followed.healing = healing
    const { scheduler, random } = this.#options
    const ask = () => {
      healing.attempt += 1
      if (healing.attempt > TRUST_ATTEMPTS) followed.scratch = true
      this.#follow(subject, followed)
      const wait = HEAL_BASE_MS + backoffMs(healing.attempt, HEAL_BASE_MS, HEAL_CAP_MS, random)
      healing.cancel = scheduler.after(wait, ask)
    }
    healing.cancel = scheduler.after(waitMs, ask)
  }

  #healed(followed: Followed): void {
    followed.healing?.cancel()
    followed.healing = undefined
    followed.expected = 0
    if (followed.diverged) this.#healings += 1
    followed.diverged = false
  }

  #follow(subject: string, followed: Followed): void {
    if (followed.mode === 'digest') {
      this.#options.send({ type: 'follow', subject, mode: 'digest' })
      return
    }
    const cursor = this.#known(followed) && !followed.scratch ? cursorOf(followed.reader) : undefined
    if (cursor && this.#gathered) this.#gathered.set(subject, cursor)
    else this.#options.send({ type: 'follow', subject, ...(cursor ? { cursor } : {}) })
  }

  /** Goes on at a place the server named, after one's own history led nowhere. */
  #takeUp(subject: string, followed: Followed, seq: number, chain: string | undefined): void {
    const had = this.#known(followed)
    followed.scratch = false
    followed.reader.reset(chain === undefined ? { seq } : { seq, chain })
    this.#healed(followed)
    this.#options.moved(subject)
    if (had)
      this.#options.tell('reset', { subject, reason: 'fork', from: followed.position?.first ?? 1, head: seq })
  }
}

const isRoom = (subject: string): boolean => subject.startsWith('room:')

/** A reader without any position yet. */
const UNKNOWN: Cursor = { seq: -1 }

/** `{"seq":…,"chain":"…"}` with a separator, at its longest. */
const BYTES_OF_CURSOR = 90
/** Well within what a frame may be. */
const CURSORS_OF_FRAME = 400

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
