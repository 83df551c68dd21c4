import { comeBackMs } from '@klatsch/streams'
import { RawSocket, type Received } from './raw-socket.ts'
import type { Talk } from './talk.ts'

/** How long `packages/client` waits for a welcome. */
const CONNECT_MS = 15_000

/** A person with one socket, who comes back by the client's rule when it is cut. */
export class Visitor {
  readonly talk: Talk
  /** Sockets opened so far. */
  dials = 0
  /** When all had come that should, since it was last asked for. */
  wholeAt: number | undefined
  readonly #options: { readonly port: number; readonly path: string; readonly received: Received }
  #socket: RawSocket | undefined
  #timer: NodeJS.Timeout | undefined
  #cutAt: number | undefined
  #onWhole: () => void = () => {}
  #leaving = false

  constructor(options: { port: number; path: string; received: Received }, talk: Talk) {
    this.#options = options
    this.talk = talk
  }

  /** Resolves when all has come that should. */
  whole(): Promise<void> {
    this.wholeAt = undefined
    return new Promise((resolve) => {
      this.#onWhole = resolve
      this.#look()
    })
  }

  dial(): void {
    clearTimeout(this.#timer)
    this.dials += 1
    const socket = new RawSocket(this.#options)
    this.#socket = socket
    socket.onText = (text) => {
      if (this.#socket !== socket) return
      this.talk.take(text)
      this.#look()
    }
    socket.opened.then(
      () => {
        if (this.#socket !== socket) return
        this.talk.begin(
          (text) => socket.send(text),
          () => this.#look(),
        )
        // What a server says first may have come together with its answer to the upgrade.
        this.#look()
      },
      () => {},
    )
    void socket.closed.then(() => this.#socket === socket && this.#comeBack())
    this.#timer = setTimeout(() => socket.close(), CONNECT_MS)
  }

  /** Cuts the socket; it does not come back by itself. */
  cut(): void {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = undefined
    this.#cutAt = undefined
    this.talk.cut()
    socket?.close()
  }

  leave(): void {
    this.#leaving = true
    this.cut()
  }

  send(text: string): void {
    this.#socket?.send(text)
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  #look(): void {
    if (this.talk.greeted) {
      clearTimeout(this.#timer)
      this.#cutAt = undefined
    }
    if (this.wholeAt !== undefined || !this.talk.whole) return
    this.wholeAt = performance.now()
    this.#onWhole()
  }

  #comeBack(): void {
    clearTimeout(this.#timer)
    this.talk.cut()
    if (this.#leaving) return
    const now = performance.now()
    this.#cutAt ??= now
    const ours = comeBackMs(now - this.#cutAt, Math.random)
    this.#timer = setTimeout(() => this.dial(), this.talk.retryAfterMs + ours)
  }
}
