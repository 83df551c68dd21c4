import {
  type ClientFrame,
  closeCodes,
  type ErrorCode,
  errorCodes,
  KlatschError,
  limits,
  type ServerFrame,
  userSubject,
} from '@klatsch/contracts'
import type { AuthenticatedUser } from '@klatsch/service-kit'
import { readClientFrame } from '../domain/client-frame.ts'
import { fullBucket, type Rate, type TokenBucket, takeToken } from '../domain/token-bucket.ts'
import type { Outcome } from '../outbound/requests.ts'
import type { ConnectionContext, Transport } from './context.ts'
import type { Follower } from './followers.ts'
import { ASK_AGAIN, Following } from './following.ts'
import { lateFollower, welcome } from './hello.ts'
import type { Readable } from './queries.ts'
import { textFrame } from './text-frame.ts'

type State =
  /** Waiting for `hello`. */
  | { readonly kind: 'greeting' }
  /** `hello` taken; asking who it is and what they may read. Frames that come meanwhile wait. */
  | { readonly kind: 'opening'; readonly waiting: ClientFrame[] }
  | { readonly kind: 'open'; user: AuthenticatedUser; readonly session: string }
  | { readonly kind: 'closed' }

/** Above this many bytes waiting, a socket pulls instead of being pushed to. */
const CONGESTED_BYTES = 1024 * 1024
/** Above this many, passing events are left out. More than what a socket buffers before it says that it drained. */
const CROWDED_BYTES = 128 * 1024
const WAITING_FRAMES = 64
const FRAMES: Rate = { perSecond: 200, burst: 1_000 }
const SILENT_PING_MS = limits.pingMs
const SILENT_CLOSE_MS = limits.pingMs * 2 + 10_000

/** One socket: greets, opens, takes frames, pushes what its user follows. */
export class Connection implements Follower {
  userId = ''
  readonly #context: ConnectionContext
  readonly #transport: Transport
  readonly #since: number
  #state: State = { kind: 'greeting' }
  #pending: Buffer[] = []
  #pendingBytes = 0
  readonly #following: Following
  #unanswered = 0
  #frames: TokenBucket
  #heardAt: number
  #pinged = false
  #paused = false
  #goAwayMs: number | undefined

  constructor(context: ConnectionContext, transport: Transport) {
    this.#context = context
    this.#transport = transport
    this.#since = context.scheduler.now()
    this.#heardAt = this.#since
    this.#frames = fullBucket(FRAMES, this.#since)
    this.#following = new Following(context, this)
  }

  get closed(): boolean {
    return this.#state.kind === 'closed'
  }

  get congested(): boolean {
    return this.#pendingBytes + this.#transport.buffered > CONGESTED_BYTES
  }

  get crowded(): boolean {
    return this.#pendingBytes + this.#transport.buffered > CROWDED_BYTES
  }

  push(frames: Buffer): void {
    if (this.closed) return
    if (this.#pending.length === 0) this.#context.writeLater(this)
    this.#pending.push(frames)
    this.#pendingBytes += frames.length
  }

  send(frame: ServerFrame): void {
    this.push(textFrame(Buffer.from(JSON.stringify(frame))))
  }

  /** Writes all that was pushed in this turn at once. */
  write(): void {
    if (this.#pending.length === 0 || this.closed) return
    const frames = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    this.#transport.write(frames)
    // Who does not read gets no more answers to write either.
    if (this.congested && !this.#paused) {
      this.#paused = true
      this.#transport.pauseReading()
    }
  }

  /** The network took everything: go on with those streams that wait. */
  drained(): void {
    if (this.#paused) {
      this.#paused = false
      this.#transport.resumeReading()
    }
    this.#following.goOn()
    this.#context.presence?.drained(this)
  }

  heard(): void {
    this.#heardAt = this.#context.scheduler.now()
    this.#pinged = false
  }

  /** Looks at the clock: no hello, token ended, silence. To be called every few seconds. */
  tick(now: number): void {
    switch (this.#state.kind) {
      case 'closed':
        return
      case 'greeting':
      case 'opening':
        if (now - this.#since > limits.helloMs) this.close(closeCodes.noHello, 'no hello')
        return
      case 'open':
        if (now >= this.#state.user.expiresAt) {
          this.#refuse('auth.expired', closeCodes.token)
        } else if (now - this.#heardAt > SILENT_CLOSE_MS && !this.#paused) {
          this.close(closeCodes.noHello, 'silent')
        } else if (now - this.#heardAt > SILENT_PING_MS && !this.#pinged) {
          this.#pinged = true
          this.#transport.ping()
        }
        return
    }
  }

  /** Asks it to go elsewhere; one that is still opening hears it after its welcome. */
  goAway(withinMs: number): void {
    this.#goAwayMs = withinMs
    if (this.#state.kind === 'open') this.send({ type: 'goaway', withinMs })
  }

  /** Cut, if it is of this session. */
  endSession(session: string): void {
    if (this.#state.kind === 'open' && this.#state.user.session === session) {
      this.#refuse('auth.session_ended', closeCodes.token)
    }
  }

  close(code: number, reason: string): void {
    if (this.closed) return
    this.write()
    this.#transport.close(code, reason)
    this.gone()
  }

  /** The socket is no more: lets go of everything. */
  gone(): void {
    if (this.closed) return
    if (this.#state.kind === 'open') {
      this.#context.presence?.departed(this)
      this.#context.hub.depart(this)
      const mine = this.#context.users.get(this.userId)
      mine?.delete(this)
      if (mine?.size === 0) this.#context.users.delete(this.userId)
    }
    this.#state = { kind: 'closed' }
    this.#following.end()
    this.#pending = []
    this.#pendingBytes = 0
  }

  receive(text: string): void {
    if (this.closed) return
    this.heard()
    const wait = takeToken(this.#frames, FRAMES, this.#heardAt)
    if (wait > 0) {
      this.#refuse('limit.rate', closeCodes.limits)
      return
    }
    const read = readClientFrame(text)
    switch (read.kind) {
      case 'garbage':
        this.#refuse('frame.malformed', closeCodes.notAFrame)
        return
      case 'unknown':
        this.#sendError('frame.unknown', { detail: `no frame is called ${read.type}` })
        return
      case 'malformed':
        this.#sendError('frame.malformed', {
          detail: read.detail,
          ...(read.id === undefined ? {} : { id: read.id }),
        })
        return
      case 'frame':
        this.#take(read.frame)
        return
    }
  }

  #take(frame: ClientFrame): void {
    switch (this.#state.kind) {
      case 'closed':
        return
      case 'greeting':
        if (frame.type !== 'hello') {
          this.#sendError('frame.unexpected', { detail: 'say hello first' })
          return
        }
        this.#state = { kind: 'opening', waiting: [] }
        this.#open(frame).catch((error: unknown) => this.#failed(error))
        return
      case 'opening':
        if (this.#state.waiting.length >= WAITING_FRAMES) this.#refuse('limit.rate', closeCodes.limits)
        else this.#state.waiting.push(frame)
        return
      case 'open':
        this.#handle(frame, this.#state)
        return
    }
  }

  async #open(hello: Extract<ClientFrame, { type: 'hello' }>): Promise<void> {
    const { hub, users } = this.#context
    const user = await this.#context.verify(hello.token)
    if (this.closed) return
    if ((users.get(user.id)?.size ?? 0) >= limits.socketsPerUser) {
      this.#refuse('limit.sockets', closeCodes.limits)
      return
    }
    this.userId = user.id
    // The user's own stream first: from here on, no room joined meanwhile is missed.
    const own = userSubject(user.id)
    await hub.track([own])
    const late = new Map<string, number>()
    const arriving: Follower = lateFollower(user.id, late)
    hub.arrive(arriving)
    let readable: readonly Readable[]
    try {
      const asked = hello.follow === 'all' ? 'all' : hello.follow.filter((subject) => subject !== own)
      readable = await this.#readable(user.id, asked, user.session)
    } finally {
      hub.depart(arriving)
    }
    if (this.#state.kind !== 'opening') return
    // While chat was asked, it may have: from here on whoever ends it finds this socket.
    if (this.#context.hasEnded?.(user.session)) throw new KlatschError('auth.session_ended')
    const waiting = this.#state.waiting
    const session = this.#context.newSessionId()
    const state = { kind: 'open' as const, user, session }
    this.#state = state
    const mine = users.get(user.id)
    if (mine) mine.add(this)
    else users.set(user.id, new Set([this]))
    hub.arrive(this)

    const streams = [
      { subject: own, first: 1, head: hub.head(own) },
      ...readable.filter((stream) => stream.subject !== own && hub.mayStillRead(user.id, stream)),
    ]
    this.send(welcome(user, session, this.#context.limiter.rate, streams, hub, this.#time()))
    this.#following.begin(hello, streams)
    this.#context.presence?.arrived(this, session)
    for (const [subject, seq] of late) this.joined(subject, seq)
    for (const frame of waiting) {
      if (this.#state === state) this.#handle(frame, state)
    }
    if (this.#goAwayMs !== undefined) this.send({ type: 'goaway', withinMs: this.#goAwayMs })
  }

  async #readable(
    user: string,
    asked: 'all' | readonly string[],
    session?: string,
  ): Promise<readonly Readable[]> {
    const { hub, queries } = this.#context
    for (let tries = 0; tries < ASK_AGAIN; tries += 1) {
      const readable = await queries.streams(user, asked, session)
      await hub.track(readable.map((stream) => stream.subject))
      if (readable.every((stream) => hub.mayStillRead(user, stream) !== undefined)) return readable
    }
    throw new KlatschError('server.overloaded')
  }

  #failed(error: unknown): void {
    if (this.closed) return
    const code = error instanceof KlatschError ? error.code : 'server.internal'
    if (code === 'server.internal') this.#context.warn({ err: error }, 'hello failed')
    this.#refuse(code, code.startsWith('auth.') ? closeCodes.token : closeCodes.restarting)
  }

  #handle(frame: ClientFrame, state: Extract<State, { kind: 'open' }>): void {
    switch (frame.type) {
      case 'hello':
        this.#sendError('frame.unexpected', { detail: 'hello was said already' })
        return
      case 'ping':
        this.#following.compare(frame.cursors ?? {})
        this.send({ type: 'pong', time: this.#time() })
        return
      case 'auth':
        this.#renew(frame.token).catch((error: unknown) => this.#renewFailed(error))
        return
      case 'unfollow':
        this.#following.unfollow(frame.subject)
        return
      case 'follow':
        this.#following.follow(frame)
        return
      case 'command':
        this.#command(frame, state)
        return
      case 'signal':
      case 'watch':
        this.#present(frame)
        return
    }
  }

  async #renew(token: string): Promise<void> {
    const user = await this.#context.verify(token)
    if (this.#state.kind !== 'open') return
    if (user.id !== this.userId) throw new KlatschError('auth.invalid_token', 'the token is of another user')
    this.#state.user = user
    this.send({
      type: 'authed',
      expiresIn: Math.max(0, Math.floor((user.expiresAt - this.#context.scheduler.now()) / 1_000)),
    })
  }

  /** A token that cannot be checked at the moment ends nothing: the old one is still good. */
  #renewFailed(error: unknown): void {
    if (error instanceof KlatschError && error.retryable) this.#sendError(error.code, { retryAfterMs: 1_000 })
    else this.#failed(error)
  }

  joined(subject: string, seq: number): void {
    if (this.#state.kind === 'open') this.#following.joined(subject, seq)
  }

  #present(frame: Extract<ClientFrame, { type: 'signal' | 'watch' }>): void {
    const { presence } = this.#context
    try {
      if (!presence) throw new KlatschError('frame.unknown', `no frame is called ${frame.type} here`)
      if (frame.type === 'watch') presence.watch(this, frame)
      else presence.signal(this, frame)
    } catch (error) {
      if (!(error instanceof KlatschError)) throw error
      const subject = frame.type === 'signal' ? { subject: frame.subject } : {}
      this.#sendError(error.code, { detail: error.message, ...subject })
    }
  }

  follows(subject: string): boolean {
    return this.#following.has(subject)
  }

  ended(subject: string): void {
    this.#following.ended(subject)
  }

  #command(frame: Extract<ClientFrame, { type: 'command' }>, state: Extract<State, { kind: 'open' }>): void {
    const wait = this.#context.limiter.take(this.userId)
    if (wait > 0) {
      this.#sendError('limit.rate', { id: frame.id, retryAfterMs: wait })
      return
    }
    if (this.#unanswered >= limits.pendingCommands) {
      this.#sendError('limit.rate', {
        id: frame.id,
        detail: 'too many commands without an answer',
        retryAfterMs: 1_000,
      })
      return
    }
    this.#unanswered += 1
    try {
      this.#context.commands.submit(
        {
          id: frame.id,
          type: frame.command,
          subject: frame.subject,
          after: frame.after,
          data: frame.data,
          user: state.user,
        },
        (outcome) => this.#answer(frame.id, outcome),
      )
    } catch (error) {
      this.#unanswered -= 1
      if (!(error instanceof KlatschError)) throw error
      this.#sendError(error.code, { id: frame.id, detail: error.message })
    }
  }

  #answer(id: string, outcome: Outcome): void {
    this.#unanswered -= 1
    if (outcome.state === 'accepted') {
      this.#context.hub.heard(outcome.subject, outcome.seq)
      this.send({ type: 'ack', id, subject: outcome.subject, seq: outcome.seq })
    } else {
      const retry = errorCodes[outcome.code].retryable ? { retryAfterMs: 500 } : {}
      this.#sendError(outcome.code, { id, detail: outcome.detail, ...retry })
    }
  }

  #time(): string {
    return new Date(this.#context.scheduler.now()).toISOString()
  }

  #sendError(
    code: ErrorCode,
    more: { id?: string; subject?: string; detail?: string; retryAfterMs?: number },
  ): void {
    const { title, retryable } = errorCodes[code]
    this.send({ type: 'error', code, retryable, ...more, detail: more.detail ?? title })
  }

  #refuse(code: ErrorCode, closeCode: number): void {
    this.#sendError(code, {})
    this.close(closeCode, code)
  }
}
