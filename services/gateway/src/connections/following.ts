import {
  type ClientFrame,
  type Cursor,
  type FollowMode,
  KlatschError,
  limits,
  userSubject,
} from '@klatsch/contracts'
import { backoffMs, pause } from '@klatsch/streams'
import type { ConnectionContext } from './context.ts'
import { errorFrame } from './error-frame.ts'
import type { Readable } from './queries.ts'
import type { Subscription } from './subscription.ts'
import type { Follower } from './users.ts'

type Frame<T extends ClientFrame['type']> = Extract<ClientFrame, { type: T }>
const NONE: ReadonlySet<string> = new Set()
/** Cursors that are compared of one ping. */
const SAMPLED_CURSORS = 100
/** How often it is asked anew what may be read, when too much happened meanwhile to know whether that still holds. */
export const ASK_AGAIN = 5

/** What one socket follows, and in which mode. */
export class Following {
  readonly #context: ConnectionContext
  readonly #socket: Follower
  readonly #subscriptions = new Map<string, Subscription>()
  /** Of rooms that nothing else was said about. */
  #mode: FollowMode = 'full'
  #full = NONE
  #all = false
  /** The latest question about each stream that is being asked. */
  #asked: Map<string, symbol> | undefined
  /** What `follow` said of one stream: it holds, whatever was still being asked about that stream. */
  #said: Map<string, FollowMode> | undefined

  constructor(context: ConnectionContext, socket: Follower) {
    this.#context = context
    this.#socket = socket
  }

  /** Follows what `hello` asked for, of what may be read. To be called once, after `welcome`. */
  begin(hello: Frame<'hello'>, readable: readonly Readable[]): void {
    this.#all = hello.follow === 'all'
    this.#mode = hello.mode ?? 'full'
    if (hello.full) this.#full = new Set(hello.full)
    for (const stream of readable) {
      const cursor = Object.hasOwn(hello.cursors, stream.subject) ? hello.cursors[stream.subject] : undefined
      this.#subscribe(stream, cursor, this.#usualMode(stream.subject))
    }
    if (hello.follow === 'all') return
    for (const subject of hello.follow) if (!this.#subscriptions.has(subject)) this.#refused(subject)
  }

  #usualMode(subject: string): FollowMode {
    return this.#said?.get(subject) ?? (this.#full.has(subject) ? 'full' : this.#mode)
  }

  #subscribe(stream: Readable, cursor: Cursor | undefined, mode: FollowMode): void {
    const { subject } = stream
    const before = this.#subscriptions.get(subject)
    if (before) this.#context.hub.unsubscribe(before)
    this.#forget(subject)
    const own = subject === userSubject(this.#socket.userId)
    const subscription = this.#context.hub.subscribe(this.#socket, stream, cursor, own ? 'full' : mode)
    this.#subscriptions.set(subject, subscription)
  }

  #refused(subject: string): void {
    this.#socket.send({ type: 'unfollowed', subject, code: 'room.not_found' })
  }

  follow({ subject, cursor, cursors = {}, mode = 'full' }: Frame<'follow'>): void {
    const wanted = new Map<string, Cursor | undefined>(Object.entries(cursors))
    if (subject !== undefined) wanted.set(subject, cursor)
    this.#said ??= new Map()
    for (const [each, its] of wanted) {
      this.#said.set(each, mode)
      const before = this.#subscriptions.get(each)
      if (!before || !isMember(before)) continue
      // The hub has watched this membership since it was judged: nobody needs to be asked.
      wanted.delete(each)
      this.#subscribe({ subject: each, first: before.first, head: before.stream.head }, its, mode)
    }
    this.#ask(wanted, () => mode).catch((error: unknown) => {
      for (const each of wanted.keys()) this.#failed(each, error)
    })
  }

  /** Follows those of the streams that may be read, and takes each out of `wanted` that is settled, either way. */
  async #ask(wanted: Map<string, Cursor | undefined>, mode: (subject: string) => FollowMode): Promise<void> {
    const { hub } = this.#context
    const { userId } = this.#socket
    const asking = Symbol('asking')
    this.#asked ??= new Map()
    for (const subject of wanted.keys()) this.#asked.set(subject, asking)
    for (let asked = 0; wanted.size > 0; asked += 1) {
      if (asked === ASK_AGAIN) throw new KlatschError('server.overloaded')
      const answer = await hub.ask(userId, [...wanted.keys()])
      if (this.#socket.closed) return
      const readable = new Map(answer.map((stream) => [stream.subject, stream]))
      for (const [subject, cursor] of wanted) {
        const stream = readable.get(subject)
        const may = stream !== undefined && hub.mayStillRead(userId, stream)
        // What was said of this stream meanwhile counts, and not this any more.
        const superseded = this.#asked?.get(subject) !== asking
        if (may === undefined && !superseded) continue
        wanted.delete(subject)
        if (superseded) continue
        if (may) this.#begin(stream!, cursor, mode(subject))
        else {
          this.#drop(subject)
          this.#refused(subject)
        }
      }
    }
  }

  #begin(stream: Readable, cursor: Cursor | undefined, mode: FollowMode): void {
    const { subject } = stream
    if (this.#subscriptions.size > limits.cursorsPerHello && !this.#subscriptions.has(subject)) {
      this.#failed(subject, new KlatschError('limit.rate', 'too many streams followed'))
    } else this.#subscribe(stream, cursor, mode)
  }

  #drop(subject: string): void {
    const subscription = this.#subscriptions.get(subject)
    if (subscription) this.#context.hub.unsubscribe(subscription)
    this.#subscriptions.delete(subject)
    this.#said?.delete(subject)
    this.#forget(subject)
  }

  #forget(subject: string): void {
    this.#asked?.delete(subject)
    if (this.#asked?.size === 0) this.#asked = undefined
  }

  #failed(subject: string, error: unknown): void {
    if (!this.#subscriptions.has(subject)) this.#said?.delete(subject)
    const code = error instanceof KlatschError ? error.code : 'server.internal'
    if (code === 'server.internal') this.#context.warn({ err: error, subject }, 'follow failed')
    this.#socket.send(errorFrame(code, { subject }))
  }

  unfollow(subject: string): void {
    this.#drop(subject)
    this.#socket.send({ type: 'unfollowed', subject, code: 'asked' })
  }

  /** A room was joined: where all are followed, so is this one. */
  joined(subject: string, seq: number): void {
    if (!this.#all) return
    const before = this.#subscriptions.get(subject)
    if (before && !before.over) {
      before.until = undefined
      return
    }
    void this.#followJoined(subject, seq)
  }

  /** Asks whether what is followed may still be read, after its history was found to be another one. */
  judgeAgain(subject: string): void {
    const before = this.#subscriptions.get(subject)
    const { userId } = this.#socket
    if (!before || subject === userSubject(userId)) return
    void this.#keepTrying(subject, async () => {
      const [readable] = await this.#context.hub.ask(userId, [subject])
      if (readable || this.#socket.closed) return
      // Followed anew meanwhile: that may be because of a membership that is newer than the answer.
      if (this.#subscriptions.get(subject) !== before) {
        this.judgeAgain(subject)
        return
      }
      this.#drop(subject)
      this.#refused(subject)
    })
  }

  /** Nobody else would tell the client that something is missing. */
  async #followJoined(subject: string, seq: number): Promise<void> {
    await this.#keepTrying(subject, () =>
      this.#ask(new Map([[subject, { seq: seq - 1 }]]), () => this.#usualMode(subject)),
    )
  }

  /** For as long as it takes. */
  async #keepTrying(subject: string, work: () => Promise<void>): Promise<void> {
    const { scheduler, random } = this.#context
    for (let failures = 0; !this.#socket.closed; failures += 1) {
      try {
        await work()
        return
      } catch (error) {
        if (!(error instanceof KlatschError && error.retryable)) {
          this.#failed(subject, error)
          return
        }
        await pause(scheduler, backoffMs(failures, 250, 5_000, random))
      }
    }
  }

  /** The subscription ended by itself. */
  ended(subject: string): void {
    this.#subscriptions.delete(subject)
    this.#said?.delete(subject)
  }

  /** Whether the stream is followed, and so may be read. */
  has(subject: string): boolean {
    const subscription = this.#subscriptions.get(subject)
    return subscription !== undefined && isMember(subscription)
  }

  /** Compares what a client says it has. Only what was pushed counts: one that is behind is not one that diverged. */
  compare(cursors: Readonly<Record<string, Cursor>>): void {
    for (const [subject, cursor] of Object.entries(cursors).slice(0, SAMPLED_CURSORS)) {
      const subscription = this.#subscriptions.get(subject)
      if (subscription?.live) this.#context.hub.compare(subscription, cursor)
    }
  }

  /** There is room again: goes on with all that wait. */
  goOn(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (!subscription.live) this.#context.hub.pull(subscription)
    }
  }

  end(): void {
    for (const subscription of this.#subscriptions.values()) this.#context.hub.unsubscribe(subscription)
    this.#subscriptions.clear()
  }
}

const isMember = ({ over, until }: Subscription): boolean => !over && until === undefined
