import {
  type ClientFrameInput,
  KlatschError,
  type ServerFrame,
  SUBPROTOCOL,
  type WelcomeFrame,
} from '@klatsch/contracts'
import { backoffMs, type Scheduler, timerSet } from '@klatsch/streams'
import { errorOf, type Incoming, readIncoming } from './incoming.ts'
import { renewInMs, tokenLifeMs } from './token.ts'
import type { WebSocketLike } from './types.ts'

/** From asking for a token to `welcome`. */
const CONNECT_MS = 15_000
/** No frame for so long after a ping, and the line is taken for dead. */
const PONG_MS = 10_000
/** The same after a wake-up, where what slept may well be gone. */
const WAKE_PONG_MS = 4_000
/** A try that is older than this when something woke up was begun in another network. */
const STALE_TRY_MS = 2_000
const RENEW_BASE_MS = 250
const RENEW_CAP_MS = 10_000

type State =
  | { readonly kind: 'asking' }
  | { readonly kind: 'opening'; readonly token: string; readonly socket: WebSocketLike }
  | {
      readonly kind: 'greeting'
      readonly token: string
      readonly socket: WebSocketLike
      readonly saidAt: number
    }
  | {
      readonly kind: 'open'
      token: string
      readonly socket: WebSocketLike
      readonly since: number
      readonly welcome: WelcomeFrame
    }
  | { readonly kind: 'over' }

/** Why a line ended. */
export interface LineEnd {
  readonly reason: string
  /** The close code of the server, where it closed. */
  readonly code?: number
  /** What the server, or whoever gives the token, said before. */
  readonly error?: KlatschError
  /** The token that was said, where one was. */
  readonly token?: string
  /** How long it was open, in milliseconds; undefined when it never was. */
  readonly openMs?: number
}

export interface LineOptions {
  readonly url: string
  readonly token: (stale?: string) => Promise<string>
  readonly openSocket: (url: string, protocol: string) => WebSocketLike
  readonly scheduler: Scheduler
  readonly random: () => number
  /** The first frame, made when the socket opens. */
  readonly hello: (token: string) => ClientFrameInput
  readonly ping: () => ClientFrameInput
  /** The server's `time` of a frame, as it was received, and when the question it answers was sent. */
  readonly clock: (time: string, askedAt: number, source: 'welcome' | 'pong') => void
}

/** What a line tells its owner, in this order: `welcomed` once or never, `received` any number of times, `over` once. */
export interface LineOwner {
  welcomed(line: Line, frame: WelcomeFrame): void
  received(line: Line, incoming: Incoming): void
  over(line: Line, end: LineEnd): void
}

/** One socket from asking for a token to its end: `hello`, `welcome`, heartbeats, newer tokens before the old ones end. */
export class Line {
  readonly #options: LineOptions
  readonly #owner: LineOwner
  readonly #timers
  #state: State = { kind: 'asking' }
  readonly #begunAt: number
  /** Frames received so far. */
  #heard = 0
  #pingedAt: number | undefined
  #lastError: KlatschError | undefined

  /** `stale`: a token that was refused, so another one is wanted. */
  constructor(options: LineOptions, owner: LineOwner, stale: string | undefined) {
    this.#options = options
    this.#owner = owner
    this.#timers = timerSet(options.scheduler)
    this.#begunAt = options.scheduler.now()
    this.#timers.after(CONNECT_MS, () => this.#end({ reason: 'no connection in time' }))
    this.#token(stale).then(
      (token) => this.#state.kind === 'asking' && this.#dial(token),
      (error: unknown) => this.#state.kind === 'asking' && this.#noToken(error),
    )
  }

  /** Set from the welcome to the end. */
  get welcome(): WelcomeFrame | undefined {
    return this.#state.kind === 'open' ? this.#state.welcome : undefined
  }

  /** Whether the frame was given to an open, welcomed socket. */
  send(frame: ClientFrameInput): boolean {
    return this.#state.kind === 'open' && this.#transmit(this.#state.socket, frame)
  }

  /** The network or the page woke up: what is open must show that it lives, what was begun before begins anew. */
  wake(): void {
    const state = this.#state
    const age = this.#options.scheduler.now() - this.#begunAt
    if (state.kind === 'open') this.#ping(state, WAKE_PONG_MS)
    else if (state.kind !== 'over' && age > STALE_TRY_MS) this.#end({ reason: 'the network changed' })
  }

  /** Ends it without a word to the owner. */
  close(): void {
    const state = this.#state
    this.#timers.clear()
    this.#state = { kind: 'over' }
    if (!('socket' in state)) return
    const { socket } = state
    socket.onopen = null
    socket.onmessage = null
    socket.onclose = null
    // An error after one stopped listening must not be an unhandled one.
    socket.onerror = () => {}
    try {
      socket.close(1000)
    } catch {
      // Never opened; nothing to close.
    }
  }

  #end(end: { reason: string; code?: number; error?: KlatschError }): void {
    const state = this.#state
    if (state.kind === 'over') return
    const error = end.error ?? this.#lastError
    this.close()
    this.#owner.over(this, {
      ...end,
      ...(error === undefined ? {} : { error }),
      ...('token' in state ? { token: state.token } : {}),
      ...(state.kind === 'open' ? { openMs: this.#options.scheduler.now() - state.since } : {}),
    })
  }

  #transmit(socket: WebSocketLike, frame: ClientFrameInput): boolean {
    try {
      socket.send(JSON.stringify(frame))
      return true
    } catch {
      // A socket that is closing; its close is on its way here.
      return false
    }
  }

  async #token(stale: string | undefined): Promise<string> {
    return this.#options.token(stale)
  }

  #noToken(error: unknown): void {
    this.#end({
      reason: error instanceof Error ? error.message : 'no token',
      ...(error instanceof KlatschError ? { error } : {}),
    })
  }

  #dial(token: string): void {
    let socket: WebSocketLike
    try {
      socket = this.#options.openSocket(this.#options.url, SUBPROTOCOL)
    } catch (error) {
      this.#end({ reason: error instanceof Error ? error.message : 'no socket' })
      return
    }
    this.#state = { kind: 'opening', token, socket }
    socket.onopen = () => {
      this.#state = { kind: 'greeting', token, socket, saidAt: this.#options.scheduler.now() }
      this.#transmit(socket, this.#options.hello(token))
    }
    socket.onmessage = ({ data }) => this.#receive(data)
    socket.onclose = ({ code, reason }) => {
      this.#end({ reason: reason || this.#lastError?.message || `closed with ${code}`, code })
    }
    socket.onerror = () => {}
  }

  #receive(data: unknown): void {
    this.#heard += 1
    const incoming = readIncoming(data)
    const state = this.#state
    if (state.kind === 'greeting') {
      if (incoming.kind !== 'frame') return
      if (incoming.frame.type === 'welcome') this.#welcomed(state, incoming.frame)
      else if (incoming.frame.type === 'error') this.#lastError = errorOf(incoming.frame)
    } else if (state.kind === 'open') {
      if (incoming.kind === 'frame') this.#frame(state, incoming.frame)
      this.#owner.received(this, incoming)
    }
  }

  #frame(state: Extract<State, { kind: 'open' }>, frame: ServerFrame): void {
    switch (frame.type) {
      case 'authed':
        this.#renewIn(state, renewInMs(frame.expiresIn * 1_000))
        return
      case 'error':
        if (frame.id === undefined && frame.subject === undefined) this.#lastError = errorOf(frame)
        return
      case 'pong':
        if (this.#pingedAt !== undefined && frame.time !== undefined)
          this.#options.clock(frame.time, this.#pingedAt, 'pong')
        this.#pingedAt = undefined
        return
      case 'welcome':
      case 'reset':
      case 'live':
      case 'unfollowed':
      case 'ack':
      case 'goaway':
        return
      default:
        frame satisfies never
    }
  }

  #welcomed(greeting: Extract<State, { kind: 'greeting' }>, welcome: WelcomeFrame): void {
    this.#timers.clear()
    const { token, socket, saidAt } = greeting
    const since = this.#options.scheduler.now()
    const state: State = { kind: 'open', token, socket, since, welcome }
    this.#state = state
    this.#pingLater(state)
    const life = tokenLifeMs(token, since)
    if (life !== undefined) this.#renewIn(state, renewInMs(life))
    if (welcome.time !== undefined) this.#options.clock(welcome.time, saidAt, 'welcome')
    this.#owner.welcomed(this, welcome)
  }

  #pingLater(state: Extract<State, { kind: 'open' }>): void {
    // A little early, each time another little: the server counts on one within `pingMs`.
    const wait = state.welcome.limits.pingMs * (0.7 + 0.2 * this.#options.random())
    this.#timers.after(wait, () => {
      this.#ping(state, PONG_MS)
      this.#pingLater(state)
    })
  }

  #ping(state: Extract<State, { kind: 'open' }>, withinMs: number): void {
    const heard = this.#heard
    this.#pingedAt = this.#options.scheduler.now()
    this.#transmit(state.socket, this.#options.ping())
    this.#timers.after(Math.min(withinMs, state.welcome.limits.pingMs), () => {
      if (this.#heard === heard) this.#end({ reason: 'the server does not answer' })
    })
  }

  #renewIn(state: Extract<State, { kind: 'open' }>, ms: number): void {
    this.#timers.after(ms, () => {
      this.#token(state.token).then(
        (token) => {
          if (this.#state !== state) return
          state.token = token
          this.#transmit(state.socket, { type: 'auth', token })
        },
        () => {
          // The old one may still be good for a while; when it is not, the server says so and closes.
          const wait = RENEW_BASE_MS + backoffMs(5, RENEW_BASE_MS, RENEW_CAP_MS, this.#options.random)
          if (this.#state === state) this.#renewIn(state, wait)
        },
      )
    })
  }
}
