import {
  type ClientFrameInput,
  closeCodes,
  type ErrorCode,
  KlatschError,
  type ServerFrame,
  SUBPROTOCOL,
  type WelcomeFrame,
} from '@klatsch/contracts'
import { backoffMs, type Scheduler } from '@klatsch/streams'
import { errorOf, type Incoming, readIncoming } from './incoming.ts'
import { timerSet } from './timers.ts'
import { renewInMs, tokenLifeMs } from './token.ts'
import type { ConnectionState, WebSocketLike } from './types.ts'

const BASE_MS = 250
const CAP_MS = 10_000
/** From asking for a token to `welcome`. */
const CONNECT_MS = 15_000
/** A connection that lasted so long was a good one: the next cut is answered quickly. */
const STEADY_MS = 5_000
/** How long to stay away after being refused for limits. */
const LIMITS_MS = 5_000
/** No frame for so long after a ping, and the connection is taken for dead. */
const PONG_MS = 10_000

/** What the connection is doing; `attempt` counts tries since the last steady connection. */
type Link =
  | { readonly kind: 'idle' }
  | { readonly kind: 'asking'; readonly attempt: number }
  | {
      readonly kind: 'opening'
      readonly attempt: number
      readonly token: string
      readonly socket: WebSocketLike
    }
  | {
      readonly kind: 'greeting'
      readonly attempt: number
      readonly token: string
      readonly socket: WebSocketLike
    }
  | {
      readonly kind: 'connected'
      readonly attempt: number
      token: string
      readonly socket: WebSocketLike
      readonly since: number
      readonly welcome: WelcomeFrame
    }
  | { readonly kind: 'waiting'; readonly attempt: number; readonly retryAt: number; readonly reason: string }
  | { readonly kind: 'stopped'; readonly code?: ErrorCode; readonly reason: string }

export interface ConnectionOptions {
  readonly url: string
  readonly token: (stale?: string) => Promise<string>
  readonly openSocket: (url: string, protocol: string) => WebSocketLike
  readonly scheduler: Scheduler
  readonly random: () => number
  /** The first frame, made when the socket opens. */
  readonly hello: (token: string) => ClientFrameInput
  readonly ping: () => ClientFrameInput
  readonly welcomed: (frame: WelcomeFrame) => void
  /** Everything that comes after `welcome` and is not the connection's own business. */
  readonly received: (incoming: Incoming) => void
  /** After `welcomed`, once for each: the connection is gone. */
  readonly lost: () => void
  readonly changed: (state: ConnectionState) => void
}

/**
 * One connection at a time, kept up: a token, a socket, `hello`, `welcome`, heartbeats, newer tokens before the old
 * ones end; and when it is cut, another after a random wait that grows with each try that failed.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #timers
  #link: Link = { kind: 'idle' }
  #heardAt = 0
  #lastError: KlatschError | undefined
  /** Refusals of a token since the last welcome; `#refused` is the last one refused. */
  #refusals = 0
  #refused: string | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#timers = timerSet(options.scheduler)
  }

  get state(): ConnectionState {
    return stateOf(this.#link)
  }

  connect(): void {
    const link = this.#link
    switch (link.kind) {
      case 'idle':
      case 'stopped':
        this.#refusals = 0
        this.#ask(0)
        return
      case 'waiting':
        this.#ask(link.attempt)
        return
      case 'asking':
      case 'opening':
      case 'greeting':
      case 'connected':
        return
      default:
        link satisfies never
    }
  }

  /** The network or the page woke up: no more waiting, and a connection must show that it lives. */
  wake(): void {
    const link = this.#link
    if (link.kind === 'waiting') this.#ask(link.attempt)
    else if (link.kind === 'connected') this.#ping(link)
  }

  stop(reason: string, code?: ErrorCode): void {
    this.#leave()
    this.#become({ kind: 'stopped', reason, ...(code === undefined ? {} : { code }) })
  }

  /** Whether the frame was given to an open, welcomed socket. */
  send(frame: ClientFrameInput): boolean {
    return this.#link.kind === 'connected' && this.#transmit(this.#link.socket, frame)
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

  #become(link: Link): void {
    const before = this.#link
    this.#link = link
    if (before.kind === 'connected') this.#options.lost()
    const [was, is] = [stateOf(before), stateOf(link)]
    if (was.kind !== 'connecting' || is.kind !== 'connecting') this.#options.changed(is)
  }

  /** Ends what belongs to the present link: its timers, its socket. */
  #leave(): void {
    this.#timers.clear()
    const link = this.#link
    if (!('socket' in link)) return
    const { socket } = link
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

  #ask(attempt: number): void {
    this.#leave()
    const link: Link = { kind: 'asking', attempt }
    this.#lastError = undefined
    this.#become(link)
    this.#timers.after(CONNECT_MS, () => this.#retry('no connection in time'))
    const current = () => this.#link === link
    this.#token(this.#refused).then(
      (token) => current() && this.#dial(token, attempt),
      (error: unknown) => current() && this.#noToken(error),
    )
  }

  async #token(stale: string | undefined): Promise<string> {
    return this.#options.token(stale)
  }

  #noToken(error: unknown): void {
    if (error instanceof KlatschError && error.code.startsWith('auth.')) this.stop(error.message, error.code)
    else this.#retry(error instanceof Error ? error.message : 'no token')
  }

  #dial(token: string, attempt: number): void {
    let socket: WebSocketLike
    try {
      socket = this.#options.openSocket(this.#options.url, SUBPROTOCOL)
    } catch (error) {
      this.#retry(error instanceof Error ? error.message : 'no socket')
      return
    }
    this.#become({ kind: 'opening', attempt, token, socket })
    socket.onopen = () => {
      this.#become({ kind: 'greeting', attempt, token, socket })
      this.#transmit(socket, this.#options.hello(token))
    }
    socket.onmessage = ({ data }) => this.#receive(data)
    socket.onclose = ({ code, reason }) => this.#closed(code, reason)
    socket.onerror = () => {}
  }

  #receive(data: unknown): void {
    this.#heardAt = this.#options.scheduler.now()
    const incoming = readIncoming(data)
    const link = this.#link
    if (link.kind === 'greeting') {
      if (incoming.kind !== 'frame') return
      if (incoming.frame.type === 'welcome') this.#welcome(link, incoming.frame)
      else if (incoming.frame.type === 'error') this.#lastError = errorOf(incoming.frame)
    } else if (link.kind === 'connected') {
      if (incoming.kind === 'frame') this.#frame(link, incoming.frame)
      this.#options.received(incoming)
    }
  }

  #frame(link: Extract<Link, { kind: 'connected' }>, frame: ServerFrame): void {
    switch (frame.type) {
      case 'goaway':
        this.#timers.after(this.#options.random() * frame.withinMs * 0.5, () => this.#ask(0))
        return
      case 'authed':
        this.#renewIn(link, renewInMs(frame.expiresIn * 1_000))
        return
      case 'error':
        if (frame.id === undefined && frame.subject === undefined) this.#lastError = errorOf(frame)
        return
      case 'welcome':
      case 'reset':
      case 'live':
      case 'unfollowed':
      case 'ack':
      case 'pong':
        return
      default:
        frame satisfies never
    }
  }

  #welcome(greeting: Extract<Link, { kind: 'greeting' }>, welcome: WelcomeFrame): void {
    this.#timers.clear()
    const { attempt, token, socket } = greeting
    const since = this.#options.scheduler.now()
    const link: Link = { kind: 'connected', attempt, token, socket, since, welcome }
    this.#refusals = 0
    this.#refused = undefined
    this.#pingLater(link)
    const life = tokenLifeMs(token, since)
    if (life !== undefined) this.#renewIn(link, renewInMs(life))
    this.#become(link)
    // Whoever was told may have closed it.
    if (this.#link === link) this.#options.welcomed(welcome)
  }

  #pingLater(link: Extract<Link, { kind: 'connected' }>): void {
    // A little early, each time another little: the server counts on one within `pingMs`.
    const wait = link.welcome.limits.pingMs * (0.7 + 0.2 * this.#options.random())
    this.#timers.after(wait, () => {
      this.#ping(link)
      this.#pingLater(link)
    })
  }

  #ping(link: Extract<Link, { kind: 'connected' }>): void {
    const at = this.#options.scheduler.now()
    this.#transmit(link.socket, this.#options.ping())
    this.#timers.after(Math.min(PONG_MS, link.welcome.limits.pingMs), () => {
      if (this.#heardAt < at) this.#cut('the server does not answer')
    })
  }

  #renewIn(link: Extract<Link, { kind: 'connected' }>, ms: number): void {
    this.#timers.after(ms, () => {
      this.#token(link.token).then(
        (token) => {
          if (this.#link !== link) return
          link.token = token
          this.#transmit(link.socket, { type: 'auth', token })
        },
        () => {
          // The old one may still be good for a while; when it is not, the server says so and closes.
          if (this.#link === link)
            this.#renewIn(link, BASE_MS + backoffMs(5, BASE_MS, CAP_MS, this.#options.random))
        },
      )
    })
  }

  #closed(code: number, reason: string): void {
    const link = this.#link
    if (code === closeCodes.token && 'token' in link) {
      this.#refusals += 1
      this.#refused = link.token
      if (this.#refusals > 1) {
        this.stop(reason || 'the token was refused', this.#lastError?.code ?? 'auth.invalid_token')
        return
      }
    }
    const why = reason || this.#lastError?.message || `closed with ${code}`
    this.#cut(why, code === closeCodes.limits ? LIMITS_MS : 0)
  }

  #cut(reason: string, atLeastMs = 0): void {
    const link = this.#link
    const steady = link.kind === 'connected' && this.#options.scheduler.now() - link.since >= STEADY_MS
    this.#retry(reason, atLeastMs, steady ? 0 : undefined)
  }

  #retry(
    reason: string,
    atLeastMs = 0,
    attempt = 'attempt' in this.#link ? this.#link.attempt + 1 : 0,
  ): void {
    this.#leave()
    const { scheduler, random } = this.#options
    const wait = atLeastMs + backoffMs(attempt, BASE_MS, CAP_MS, random)
    this.#become({ kind: 'waiting', attempt, retryAt: scheduler.now() + wait, reason })
    this.#timers.after(wait, () => this.#ask(attempt))
  }
}

function stateOf(link: Link): ConnectionState {
  switch (link.kind) {
    case 'idle':
    case 'stopped':
    case 'waiting':
      return link
    case 'asking':
    case 'opening':
    case 'greeting':
      return { kind: 'connecting', attempt: link.attempt }
    case 'connected':
      return { kind: 'connected', session: link.welcome.session, user: link.welcome.user }
    default:
      return link satisfies never
  }
}
