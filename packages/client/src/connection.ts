import { type ClientFrameInput, closeCodes, type ErrorCode, type WelcomeFrame } from '@klatsch/contracts'
import { backoffMs, comeBackMs, timerSet } from '@klatsch/streams'
import type { Incoming } from './incoming.ts'
import { Line, type LineEnd, type LineOptions, type LineOwner } from './line.ts'
import type { ConnectionState } from './types.ts'

/** A server that goes away leaves little time. */
const MOVE_BASE_MS = 250
const CAP_MS = 10_000
/** A connection that lasted so long was a good one: the next cut is answered quickly. */
const STEADY_MS = 5_000
/** How long to stay away after being refused for limits. */
const LIMITS_MS = 5_000
/** No server makes one wait longer than this. */
const MAX_ASKED_MS = 5 * 60_000
/** The second socket is opened within this part of the time a `goaway` leaves: the rest is for being welcomed and resuming. */
const GOAWAY_PART = 0.25

/** On the way from a server that goes away to another, while the first socket still works. */
type Move =
  | { readonly kind: 'waiting'; readonly attempt: number }
  | { readonly kind: 'opening'; readonly attempt: number; readonly line: Line }
  /** Both are open. What is sent goes to the second one; the first only tells. */
  | {
      readonly kind: 'joined'
      readonly attempt: number
      readonly line: Line
      goawayUntil: number | undefined
    }

/** What the connection is doing; `attempt` counts tries since the last steady connection. */
type Link =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number; readonly line: Line }
  | {
      readonly kind: 'connected'
      readonly attempt: number
      readonly line: Line
      readonly welcome: WelcomeFrame
      readonly since: number
      move: Move | undefined
    }
  | {
      readonly kind: 'waiting'
      readonly attempt: number
      readonly retryAt: number
      /** The server asked not to be asked before. */
      readonly notBefore: number
      readonly reason: string
      readonly code?: ErrorCode
    }
  | { readonly kind: 'stopped'; readonly code?: ErrorCode; readonly reason: string }

type Connected = Extract<Link, { kind: 'connected' }>

export interface ConnectionOptions extends Omit<LineOptions, 'hello'> {
  /** The first frame, made when the socket opens. `second`: while the first one still tells. */
  readonly hello: (token: string, second: boolean) => ClientFrameInput
  readonly welcomed: (frame: WelcomeFrame) => void
  /** A second socket was welcomed; from now on all is sent there. */
  readonly joined: (frame: WelcomeFrame) => void
  /** The first of two sockets is closed, the second is the one. */
  readonly moved: () => void
  /** Everything that comes after `welcome` and is not the connection's own business. `leaving`: by the first of two. */
  readonly received: (incoming: Incoming, leaving: boolean) => void
  /** After `welcomed`, once for each: the connection is gone. */
  readonly lost: () => void
  readonly changed: (state: ConnectionState) => void
}

/**
 * One connection kept up: when it is cut, another after a random wait that grows with the time without a good one; when
 * the server goes away, a second one before the first ends, without a moment in which there is none.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #timers
  readonly #owner: LineOwner
  #link: Link = { kind: 'idle' }
  /** Refusals of a token since the last welcome; `#refused` is the last one refused. */
  #refusals = 0
  #refused: string | undefined
  /** When the last good connection ended; undefined while there is one, and before the first try. */
  #cutAt: number | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#timers = timerSet(options.scheduler)
    this.#owner = {
      welcomed: (line, frame) => this.#welcomed(line, frame),
      received: (line, incoming) => this.#received(line, incoming),
      over: (line, end) => this.#over(line, end),
    }
  }

  get state(): ConnectionState {
    return stateOf(this.#link)
  }

  connect(): void {
    const link = this.#link
    switch (link.kind) {
      case 'idle':
      case 'stopped':
        this.#cutAt = undefined
        this.#refusals = 0
        this.#ask(0)
        return
      case 'waiting':
        this.#ask(link.attempt)
        return
      case 'connecting':
      case 'connected':
        return
      default:
        link satisfies never
    }
  }

  /** The network or the page woke up: no more waiting than the server asked for, and what is open must show that it lives. */
  wake(): void {
    const link = this.#link
    if (link.kind === 'waiting') {
      if (this.#options.scheduler.now() >= link.notBefore) this.#ask(link.attempt)
    } else if (link.kind === 'connecting' || link.kind === 'connected') {
      link.line.wake()
      if (link.kind === 'connected' && link.move && link.move.kind !== 'waiting') link.move.line.wake()
    }
  }

  stop(reason: string, code?: ErrorCode): void {
    this.#leave()
    this.#become({ kind: 'stopped', reason, ...(code === undefined ? {} : { code }) })
  }

  /** Whether the frame was given to an open, welcomed socket. */
  send(frame: ClientFrameInput): boolean {
    const link = this.#link
    if (link.kind !== 'connected') return false
    return (link.move?.kind === 'joined' ? link.move.line : link.line).send(frame)
  }

  /** Every stream that was live on the first of two sockets is live on the second. */
  caughtUp(): void {
    if (this.#link.kind === 'connected' && this.#link.move?.kind === 'joined') this.#change(this.#link)
  }

  #become(link: Link): void {
    const before = this.#link
    this.#link = link
    if (before.kind === 'connected' && link.kind !== 'connected') this.#options.lost()
    const [was, is] = [stateOf(before), stateOf(link)]
    if (was.kind !== 'connecting' || is.kind !== 'connecting') this.#options.changed(is)
  }

  /** Ends what belongs to the present link: its timers, its sockets. */
  #leave(): void {
    this.#timers.clear()
    const link = this.#link
    if (!('line' in link)) return
    link.line.close()
    if (link.kind === 'connected' && link.move && link.move.kind !== 'waiting') link.move.line.close()
  }

  #open(second: boolean): Line {
    const { hello, ...options } = this.#options
    return new Line({ ...options, hello: (token) => hello(token, second) }, this.#owner, this.#refused)
  }

  #ask(attempt: number): void {
    this.#leave()
    this.#become({ kind: 'connecting', attempt, line: this.#open(false) })
  }

  #welcomed(line: Line, welcome: WelcomeFrame): void {
    const link = this.#link
    if (link.kind === 'connecting' && line === link.line) {
      this.#refusals = 0
      this.#refused = undefined
      const since = this.#options.scheduler.now()
      const connected: Link = {
        kind: 'connected',
        attempt: link.attempt,
        line,
        welcome,
        since,
        move: undefined,
      }
      this.#become(connected)
      // Whoever was told may have closed it.
      if (this.#link === connected) this.#options.welcomed(welcome)
    } else if (link.kind === 'connected' && link.move?.kind === 'opening' && line === link.move.line) {
      this.#refused = undefined
      link.move = { kind: 'joined', attempt: link.move.attempt, line, goawayUntil: undefined }
      this.#options.joined(welcome)
    }
  }

  #received(line: Line, incoming: Incoming): void {
    const link = this.#link
    if (link.kind !== 'connected') return
    if (incoming.kind === 'frame' && incoming.frame.type === 'goaway') {
      this.#goaway(link, line, incoming.frame.withinMs)
    }
    this.#options.received(incoming, link.move?.kind === 'joined' && line === link.line)
  }

  #goaway(link: Connected, line: Line, withinMs: number): void {
    const until = this.#options.scheduler.now() + withinMs
    if (link.move?.kind === 'joined' && line === link.move.line) link.move.goawayUntil = until
    else if (link.move === undefined) this.#move(link, until)
  }

  /** Others were told at the same time, so each goes at a time of its own. */
  #move(link: Connected, until: number): void {
    const { scheduler, random } = this.#options
    const left = Math.max(0, until - scheduler.now())
    // From one that goes away to another that does: ever more slowly.
    const again = scheduler.now() - link.since < STEADY_MS ? link.attempt + 1 : 0
    const wait = Math.max(
      random() * left * GOAWAY_PART,
      again && backoffMs(again, MOVE_BASE_MS, CAP_MS, random),
    )
    this.#moveIn(link, wait, again)
    this.#timers.after(left, () => {
      if (this.#link === link && link.move?.kind === 'joined') this.#change(link)
    })
  }

  #moveIn(link: Connected, ms: number, attempt: number): void {
    link.move = { kind: 'waiting', attempt }
    this.#timers.after(ms, () => {
      if (this.#link === link) link.move = { kind: 'opening', attempt, line: this.#open(true) }
    })
  }

  /** The second socket is the one from now on. */
  #change(link: Connected): void {
    const { move } = link
    if (move?.kind !== 'joined' || !move.line.welcome) return
    this.#timers.clear()
    link.line.close()
    const next: Connected = {
      kind: 'connected',
      attempt: move.attempt,
      line: move.line,
      welcome: move.line.welcome,
      since: this.#options.scheduler.now(),
      move: undefined,
    }
    this.#become(next)
    if (this.#link !== next) return
    this.#options.moved()
    if (this.#link === next && move.goawayUntil !== undefined) this.#move(next, move.goawayUntil)
  }

  #over(line: Line, end: LineEnd): void {
    const link = this.#link
    if (link.kind === 'connecting' && line === link.line) this.#failed(end, link.attempt + 1)
    if (link.kind !== 'connected') return
    const { move } = link
    if (line === link.line) {
      if (move?.kind === 'joined') this.#change(link)
      else if (move?.kind === 'opening') this.#promote(link, move)
      else if (end.openMs === undefined || end.openMs < STEADY_MS) this.#failed(end, link.attempt + 1)
      else {
        this.#cutAt = undefined
        this.#failed(end, 0)
      }
    } else if (move?.kind === 'joined' && line === move.line) {
      // What only the first one told meanwhile was passed over, so it is no connection to go back to.
      this.#failed(end, link.attempt)
    } else if (move?.kind === 'opening' && line === move.line) {
      if (end.code === closeCodes.token) this.#refused = end.token
      const again = backoffMs(move.attempt, MOVE_BASE_MS, CAP_MS, this.#options.random)
      this.#moveIn(link, this.#waitAfter(end, again).ms, move.attempt + 1)
    }
  }

  /** The first of two sockets ended while the second was being opened: that is the one try there is now. */
  #promote(link: Connected, move: Extract<Move, { kind: 'opening' }>): void {
    this.#timers.clear()
    link.move = undefined
    this.#become({ kind: 'connecting', attempt: move.attempt, line: move.line })
  }

  #failed(end: LineEnd, attempt: number): void {
    this.#leave()
    const { error } = end
    if (end.token === undefined && error?.code.startsWith('auth.')) {
      this.stop(error.message, error.code)
      return
    }
    if (end.code === closeCodes.token && end.token !== undefined) {
      this.#refusals += 1
      this.#refused = end.token
      if (this.#refusals > 1) {
        this.stop(end.reason || 'the token was refused', error?.code ?? 'auth.invalid_token')
        return
      }
    }
    const now = this.#options.scheduler.now()
    this.#cutAt ??= now
    const { ms, asked } = this.#waitAfter(end, comeBackMs(now - this.#cutAt, this.#options.random))
    const said = error === undefined ? {} : { code: error.code }
    const waiting = { attempt, retryAt: now + ms, notBefore: now + asked, reason: end.reason, ...said }
    this.#become({ kind: 'waiting', ...waiting })
    this.#timers.after(ms, () => this.#ask(attempt))
  }

  /** How long to wait, and how much of that the server asked for. `ourMs`: how long we would. */
  #waitAfter(end: LineEnd, ourMs: number): { readonly ms: number; readonly asked: number } {
    const { random } = this.#options
    const named = Math.min(MAX_ASKED_MS, end.error?.retryAfterMs ?? 0)
    const asked = Math.max(named, end.code === closeCodes.limits ? LIMITS_MS : 0)
    // All who were sent away at a time must not come back at a time.
    const spread = Math.max(ourMs, Math.round((random() * named) / 2))
    return { ms: asked + spread, asked }
  }
}

function stateOf(link: Link): ConnectionState {
  switch (link.kind) {
    case 'idle':
    case 'stopped':
      return link
    case 'waiting': {
      const { notBefore: _, ...shown } = link
      return shown
    }
    case 'connecting':
      return { kind: 'connecting', attempt: link.attempt }
    case 'connected':
      return { kind: 'connected', session: link.welcome.session, user: link.welcome.user }
    default:
      return link satisfies never
  }
}
