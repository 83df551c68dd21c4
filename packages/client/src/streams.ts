import type {
  ClientFrameInput,
  Cursor,
  Digest,
  FollowMode,
  ServerFrame,
  StreamEvent,
  StreamPosition,
} from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'
import { Followed, type FollowedOptions, type StreamCounts, type Told } from './followed.ts'
import type { ClientEvents, FollowedStream } from './types.ts'

/** Cursors that one ping carries for comparison. */
const SAMPLE = 20
/** `{"seq":…,"chain":"…"}` with a separator, at its longest. */
const BYTES_OF_CURSOR = 90
/** Well within what a frame may be. */
const CURSORS_OF_FRAME = 400

type Frame<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>

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

/** The streams one follows: which, and how each connection takes them up. What comes of each is for `Followed` to judge. */
export class Streams {
  readonly #options: StreamsOptions
  readonly #ofEach: FollowedOptions
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
  readonly #counts: StreamCounts = { checked: 0, diverged: 0, healed: 0 }

  constructor(options: StreamsOptions) {
    this.#options = options
    this.#ofEach = {
      ...options,
      counts: this.#counts,
      arrived: (subject) => this.#arrived(subject),
      follow: (subject, how) => {
        if (this.#gathered && 'cursor' in how && how.cursor) this.#gathered.set(subject, how.cursor)
        else options.send({ type: 'follow', subject, ...how })
      },
    }
    if (options.follow !== 'all') for (const subject of options.follow) this.#add(subject, undefined, true)
  }

  get counts(): Readonly<StreamCounts> {
    return { ...this.#counts }
  }

  get view(): ReadonlyMap<string, FollowedStream> {
    return new Map([...this.#all].map(([subject, { view }]) => [subject, view]))
  }

  cursor(subject: string): Cursor | undefined {
    return this.#all.get(subject)?.cursor
  }

  /** Takes up the cursors that an earlier run kept. */
  load(cursors: Readonly<Record<string, Cursor>>): void {
    for (const [subject, cursor] of Object.entries(cursors)) {
      const followed = this.#all.get(subject)
      if (followed && !followed.known) followed.startAt(cursor)
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
      const { cursor } = followed
      if (!digested && cursor) cursors[subject] = cursor
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
      const { subject } = position
      if (this.#unfollowed.has(subject)) {
        this.#options.send({ type: 'unfollow', subject })
        continue
      }
      const before = this.#all.get(subject)
      const followed = before ?? this.#add(subject, ended?.get(subject), false)
      followed.position = position
      if (followed.mode === 'full' && !followed.known) {
        followed.startAt({ seq: position.head })
        this.#options.moved(subject)
      }
      // What `hello` could not say.
      const said = this.#sentWithHello.has(subject)
      if (before && !(said && (followed.mode === 'full' || this.#options.mode === 'digest')))
        followed.follow()
    }
    const there = new Set(positions.map((p) => p.subject))
    for (const [subject, followed] of [...this.#all]) {
      if (there.has(subject)) continue
      // Where it was asked for and left out, or joined since, asking by name brings the reason.
      if (followed.named || !this.#sentWithHello.has(subject)) followed.follow()
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
    if (followed?.mode === 'full') followed.event(event)
  }

  /** How far a stream is that is followed by digests; with `all`, also one joined just now. */
  digest({ subject, data }: Digest): void {
    if (this.#unfollowed.has(subject)) return
    const { follow } = this.#options
    const followed =
      this.#all.get(subject) ?? (follow === 'all' ? this.#add(subject, undefined, false) : undefined)
    followed?.digest(data)
  }

  reset(frame: Frame<'reset'>): void {
    if (this.#unfollowed.has(frame.subject)) return
    const followed = this.#all.get(frame.subject) ?? this.#add(frame.subject, undefined, false)
    followed.reset(frame, this.#awaited !== undefined)
  }

  live({ subject, head }: Frame<'live'>): void {
    if (this.#unfollowed.has(subject)) return
    const followed = this.#all.get(subject) ?? this.#add(subject, { seq: head }, false)
    followed.liveAt(head)
  }

  unfollowed(frame: Frame<'unfollowed'> | { type: 'unfollowed'; subject: string; code: string }): void {
    const followed = this.#all.get(frame.subject)
    if (!followed) return
    this.#forget(followed)
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
    if (cursor) followed.startAt(cursor)
    followed.pause()
    this.#awaited?.add(subject)
    followed.follow()
  }

  unfollow(subject: string): void {
    this.#unfollowed.add(subject)
    const followed = this.#all.get(subject)
    if (!followed) return
    this.#options.send({ type: 'unfollow', subject })
    this.#forget(followed)
  }

  /** The server could not follow it at the moment. */
  refused(subject: string, retryAfterMs: number): void {
    this.#all.get(subject)?.again(retryAfterMs)
  }

  /** The connection is gone; the cursors stay. */
  closed(): void {
    this.#awaited = undefined
    for (const followed of this.#all.values()) followed.pause()
  }

  /** Some cursors of streams that have caught up, for the server to compare. */
  sample(): Record<string, Cursor> {
    const live = [...this.#all.values()].filter(({ comparable }) => comparable)
    const start = Math.floor(this.#options.random() * live.length)
    const some = [...live.slice(start), ...live.slice(0, start)].slice(0, SAMPLE)
    return Object.fromEntries(some.map(({ subject, cursor }) => [subject, cursor!]))
  }

  #add(subject: string, cursor: Cursor | undefined, named: boolean): Followed {
    const mode = isRoom(subject) ? this.#options.mode : 'full'
    const followed = new Followed(subject, cursor, { mode, named }, this.#ofEach)
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

  #forget(followed: Followed): void {
    const { subject, cursor } = followed
    followed.stopHealing()
    if (cursor) this.#ended?.set(subject, cursor)
    this.#all.delete(subject)
    this.#options.moved(subject)
    this.#arrived(subject)
  }

  #arrived(subject: string): void {
    if (this.#awaited?.delete(subject) && this.#awaited.size === 0) this.#options.caughtUp()
  }
}

const isRoom = (subject: string): boolean => subject.startsWith('room:')
