import {
  type ClientFrame,
  closeCodes,
  type ErrorCode,
  KlatschError,
  limits,
  type ServerFrame,
  userSubject,
} from '@klatsch/contracts'
import type { AuthenticatedUser } from '@klatsch/service-kit'
import { readClientFrame } from '../domain/client-frame.ts'
import { fullBucket, type Rate, type TokenBucket, takeToken } from '../domain/token-bucket.ts'
import type { ConnectionContext, Transport } from './context.ts'
import { errorFrame } from './error-frame.ts'
import { ASK_AGAIN, Following } from './following.ts'
import { welcome } from './hello.ts'
import { Outgoing } from './outgoing.ts'
import { askWhileAway } from './patience.ts'
import type { Readable } from './queries.ts'
import { takeCommand } from './take-command.ts'
import { textFrame } from './text-frame.ts'
import type { Follower } from './users.ts'

type State =
  /** Waiting for `hello`. */
  | { readonly kind: 'greeting' }
  /** `hello` taken; asking who it is and what they may read. Frames that come meanwhile wait. */
  | {
      readonly kind: 'opening'
      readonly since: number
      readonly waiting: ClientFrame[]
      /** Rooms joined meanwhile, and at which seq. */
      readonly joined: Map<string, number>
      /** Why it takes so long, where that is known. */
      hindrance?: KlatschError
    }
  | { readonly kind: 'open'; user: AuthenticatedUser; readonly session: string }
  | { readonly kind: 'closed' }

const WAITING_FRAMES = 64
/** A hello that could not be answered for so long has nobody behind it who still waits for the answer. */
const OPENING_MS = 12_000
/** Who is refused for the moment comes again after so long, and a random part of as much again. */
const COME_AGAIN_MS = 2_000
const FRAMES: Rate = { perSecond: 200, burst: 1_000 }
const SILENT_PING_MS = limits.pingMs
const SILENT_CLOSE_MS = limits.pingMs * 2 + 10_000

/** One socket: greets, opens, takes frames, pushes what its user follows. */
export class Connection implements Follower {
  userId = ''
  unanswered = 0
  readonly #context: ConnectionContext
  readonly #transport: Transport
  readonly #since: number
  #state: State = { kind: 'greeting' }
  readonly #outgoing: Outgoing
  readonly #following: Following
  #frames: TokenBucket
  #heardAt: number
  #pinged = false
  /** It is not closed before that for not having gone elsewhere; by the scheduler. */
  #goesUntil: number | undefined

  constructor(context: ConnectionContext, transport: Transport) {
    this.#context = context
    this.#transport = transport
    this.#since = context.scheduler.now()
    this.#heardAt = this.#since
    this.#frames = fullBucket(FRAMES, this.#since)
    this.#outgoing = new Outgoing(transport, context.backlog)
    this.#following = new Following(context, this)
  }

  get closed(): boolean {
    return this.#state.kind === 'closed'
  }

  get congested(): boolean {
    return this.#outgoing.congested
  }

  get crowded(): boolean {
    return this.#outgoing.crowded
  }

  push(frames: Buffer): void {
    if (!this.closed && this.#outgoing.push(frames)) this.#context.writeLater(this)
  }

  send(frame: ServerFrame): void {
    this.push(textFrame(Buffer.from(JSON.stringify(frame))))
  }

  /** Writes all that was pushed in this turn at once. */
  write(): void {
    if (!this.closed) this.#outgoing.write()
  }

  /** The network took everything: go on with those streams that wait. */
  drained(): void {
    if (this.closed) return
    this.#outgoing.drained()
    this.#following.goOn()
    this.#context.presence?.drained(this)
  }

  heard(): void {
    this.#heardAt = this.#context.scheduler.now()
    this.#pinged = false
  }

  #wall(): number {
    const { wall, scheduler } = this.#context
    return wall ? wall() : scheduler.now()
  }

  /** Looks at the clock: no hello, token ended, silence. To be called every few seconds. */
  tick(now: number): void {
    switch (this.#state.kind) {
      case 'closed':
        return
      case 'greeting':
        if (now - this.#since > limits.helloMs) this.close(closeCodes.noHello, 'no hello')
        return
      case 'opening':
        if (now - this.#state.since > OPENING_MS)
          this.#failed(this.#state.hindrance ?? new KlatschError('server.overloaded'))
        return
      case 'open':
        if (this.#wall() >= this.#state.user.expiresAt) {
          this.#refuse('auth.expired', closeCodes.token)
        } else if (now - this.#heardAt > SILENT_CLOSE_MS && !this.#outgoing.paused) {
          this.close(closeCodes.noHello, 'silent')
        } else if (now - this.#heardAt > SILENT_PING_MS && !this.#pinged) {
          this.#pinged = true
          this.#transport.ping()
        }
        return
    }
  }

  /** Asks it to go elsewhere until then, by the scheduler; one that is still opening hears it after its welcome. */
  goAway(until: number): void {
    this.#goesUntil = until
    this.#sayGoAway()
  }

  #sayGoAway(): void {
    if (this.#goesUntil === undefined || this.#state.kind !== 'open') return
    const leftMs = Math.round(this.#goesUntil - this.#context.scheduler.now())
    this.send({ type: 'goaway', withinMs: Math.max(0, leftMs) })
  }

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
    if (this.#state.kind === 'open') this.#context.presence?.departed(this)
    if (this.userId !== '') this.#context.hub.users.depart(this)
    this.#state = { kind: 'closed' }
    this.#following.end()
    this.#outgoing.drop()
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
        this.#state = { kind: 'opening', since: this.#heardAt, waiting: [], joined: new Map() }
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
    const { hub } = this.#context
    const user = await this.#fromChat(() => this.#context.verify(hello.token))
    if (!user) return
    const own = userSubject(user.id)
    if (hub.users.of(own).size >= limits.socketsPerUser) {
      this.#refuse('limit.sockets', closeCodes.limits)
      return
    }
    // One of its user's sockets from here on: what is joined is told to it.
    this.userId = user.id
    hub.users.arrive(this)
    const asked = hello.follow === 'all' ? hello.follow : [own, ...hello.follow]
    const readable = await this.#fromChat(() => this.#readable(user.id, asked, user.session))
    if (!readable || this.#state.kind !== 'opening') return
    // While chat was asked, it may have: from here on whoever ends it finds this socket.
    if (this.#context.hasEnded?.(user.session)) throw new KlatschError('auth.session_ended')
    const { waiting, joined } = this.#state
    const session = this.#context.newSessionId()
    const state = { kind: 'open' as const, user, session }
    this.#state = state
    const streams = readable.filter((stream) => hub.mayStillRead(user.id, stream))
    this.send(welcome(user, session, this.#context.limiter.rate, streams, hub, this.#time()))
    this.#following.begin(hello, streams)
    this.#context.presence?.arrived(this, session)
    for (const [subject, seq] of joined) this.joined(subject, seq)
    for (const frame of waiting) {
      if (this.#state === state) this.#handle(frame, state)
    }
    this.#sayGoAway()
  }

  /** Undefined when the socket closed meanwhile. */
  #fromChat<T>(ask: () => Promise<T>): Promise<T | undefined> {
    const { scheduler, random } = this.#context
    return askWhileAway(ask, {
      ...{ scheduler, random },
      waits: () => this.#state.kind === 'opening',
      hindered: (why) => {
        if (this.#state.kind === 'opening') this.#state.hindrance = why
      },
    })
  }

  async #readable(
    user: string,
    asked: 'all' | readonly string[],
    session: string,
  ): Promise<readonly Readable[]> {
    const { hub } = this.#context
    for (let tries = 0; tries < ASK_AGAIN; tries += 1) {
      const readable = await hub.ask(user, asked, session)
      if (readable.every((stream) => hub.mayStillRead(user, stream) !== undefined)) return readable
    }
    throw new KlatschError('server.overloaded')
  }

  #failed(error: unknown): void {
    if (this.closed) return
    const code = error instanceof KlatschError ? error.code : 'server.internal'
    if (code === 'server.internal') this.#context.warn({ err: error }, 'hello failed')
    if (code.startsWith('auth.')) this.#refuse(code, closeCodes.token)
    else this.#comeAgain(code)
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
        takeCommand(this.#context, this, state.user, frame)
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
      expiresIn: Math.max(0, Math.floor((user.expiresAt - this.#wall()) / 1_000)),
    })
  }

  /** A token that cannot be checked at the moment ends nothing: the old one is still good. */
  #renewFailed(error: unknown): void {
    if (error instanceof KlatschError && error.retryable) this.#sendError(error.code, { retryAfterMs: 1_000 })
    else this.#failed(error)
  }

  joined(subject: string, seq: number): void {
    if (this.#state.kind === 'opening') this.#state.joined.set(subject, seq)
    else if (this.#state.kind === 'open') this.#following.joined(subject, seq)
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

  doubted(subject: string): void {
    this.#following.judgeAgain(subject)
  }

  #time(): string {
    return new Date(this.#wall()).toISOString()
  }

  #sendError(...error: Parameters<typeof errorFrame>): void {
    this.send(errorFrame(...error))
  }

  /** For the moment there is no way in: says when to try again, not all at the same time. */
  #comeAgain(code: ErrorCode): void {
    this.#context.hellos.refused += 1
    const retryAfterMs = Math.round(COME_AGAIN_MS * (1 + this.#context.random()))
    this.#sendError(code, { retryAfterMs })
    this.close(closeCodes.tryAgainLater, code)
  }

  #refuse(code: ErrorCode, closeCode: number): void {
    this.#sendError(code)
    this.close(closeCode, code)
  }
}
