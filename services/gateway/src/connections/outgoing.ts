import type { Transport } from './context.ts'

/** Above this many bytes waiting, a socket pulls instead of being pushed to. */
const CONGESTED_BYTES = 1024 * 1024
/** Above this many, passing events are left out. */
const CROWDED_BYTES = 128 * 1024
/** What a socket buffers before it says later that it drained; less than that is on its way already. */
const ON_ITS_WAY_BYTES = 64 * 1024
/** What may wait for all sockets together before each may have only as much as is on its way. */
const BACKLOG_BYTES = 256 * 1024 * 1024

/** Bytes that wait for the readers of all sockets. */
export class Backlog {
  bytes = 0
  readonly #limit: number

  constructor(limit: number = BACKLOG_BYTES) {
    this.#limit = limit
  }

  get full(): boolean {
    return this.bytes > this.#limit
  }
}

/** What one socket is sent: collected in a turn, written at once at its end. Bounded by what its reader takes. */
export class Outgoing {
  readonly #transport: Transport
  readonly #backlog: Backlog
  #pending: Buffer[] = []
  #pendingBytes = 0
  /** How much of the backlog is this socket's. */
  #counted = 0
  #paused = false

  constructor(transport: Transport, backlog: Backlog) {
    this.#transport = transport
    this.#backlog = backlog
  }

  get #waiting(): number {
    return this.#pendingBytes + this.#transport.buffered
  }

  /** Whether more waits than for a reader who keeps up; then `drained` will be called. */
  get congested(): boolean {
    return this.#waiting > (this.#backlog.full ? ON_ITS_WAY_BYTES : CONGESTED_BYTES)
  }

  /** Whether passing events must be left out; then `drained` will be called. */
  get crowded(): boolean {
    return this.#waiting > CROWDED_BYTES
  }

  /** Whether reading is paused, and so nothing can be heard of the other side. */
  get paused(): boolean {
    return this.#paused
  }

  /** Answers whether it is the first of this turn: then `write` is to be called at its end. */
  push(frames: Buffer): boolean {
    this.#pendingBytes += frames.length
    return this.#pending.push(frames) === 1
  }

  write(): void {
    if (this.#pending.length === 0) return
    const frames = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    this.#transport.write(frames)
    this.#count(this.#transport.buffered)
    // Who does not read gets no more answers to write either.
    if (this.congested && !this.#paused) {
      this.#paused = true
      this.#transport.pauseReading()
    }
  }

  /** The network took everything. */
  drained(): void {
    this.#count(this.#transport.buffered)
    if (!this.#paused) return
    this.#paused = false
    this.#transport.resumeReading()
  }

  /** The socket is no more. */
  drop(): void {
    this.#count(0)
    this.#pending = []
    this.#pendingBytes = 0
  }

  #count(buffered: number): void {
    const counted = buffered > ON_ITS_WAY_BYTES ? buffered : 0
    this.#backlog.bytes += counted - this.#counted
    this.#counted = counted
  }
}
