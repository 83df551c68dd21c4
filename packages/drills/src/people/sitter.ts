import type { Session } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import { WebSocket } from 'ws'
import type { Passage, Told } from '../judge/presence.ts'

const WELCOME_MS = 30_000
const TRIES = 10
const PING_MS = 20_000

/** A person with one socket, who follows nothing, knows when they came and went, and keeps what they are told of others. */
export class Sitter {
  readonly id: string
  readonly told: Told[] = []
  /** What happened to them, since `begin`. */
  passages: Passage[] = []
  #socket: WebSocket | undefined
  /** When they first tried to come back. */
  #since: number | undefined
  #pinging: NodeJS.Timeout | undefined
  readonly #token: string

  private constructor(session: Session) {
    this.id = session.user.id
    this.#token = session.accessToken
  }

  /** A guest; when many come at once they may be asked to try again. */
  static async guest(chatUrl: string, username: string): Promise<Sitter> {
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(`${chatUrl}/api/auth/guest`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: `${username}-${tries}` }),
        signal: AbortSignal.timeout(60_000),
      })
      if (response.ok) return new Sitter((await response.json()) as Session)
      if (response.status !== 503 || tries === TRIES)
        throw new Error(`a guest was refused: ${await response.text()}`)
      await pause(systemScheduler, 1_000)
    }
  }

  /** Whether they have come and not gone. */
  get here(): boolean {
    return this.passages.at(-1)?.kind === 'came'
  }

  /** From here on it counts when they come and go. */
  begin(): void {
    this.passages = [{ at: systemScheduler.now(), kind: 'came', why: 'was here' }]
  }

  /** Opens a socket, and lets go of the one before once the new one is welcomed. */
  async enter(gatewayUrl: string, why: string): Promise<void> {
    if (!this.here) this.#since ??= systemScheduler.now()
    const socket = new WebSocket(`${gatewayUrl.replace('http', 'ws')}/ws`, 'klatsch.v1')
    const welcomed = Promise.withResolvers<void>()
    const late = setTimeout(() => socket.terminate(), WELCOME_MS)
    socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', token: this.#token, follow: [] })))
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data))
      if (frame.type === 'welcome') welcomed.resolve()
      if (frame.type !== 'presence.changed.v1') return
      const { state, version } = frame.data
      const user = frame.subject.slice('user:'.length)
      this.told.push({ user, state, version, at: systemScheduler.now() })
    })
    socket.on('error', welcomed.reject)
    socket.on('close', () => welcomed.reject(new Error('closed before it was welcomed')))
    await welcomed.promise.finally(() => clearTimeout(late))
    this.#socket?.close()
    this.#socket = socket
    clearInterval(this.#pinging)
    this.#pinging = setInterval(() => {
      if (socket.readyState === socket.OPEN) socket.send('{"type":"ping"}')
    }, PING_MS)
    if (!this.here) this.came(why)
  }

  /** So it is, though no socket was opened: their gateway goes on. */
  came(why: string): void {
    const at = systemScheduler.now()
    this.passages.push({ at, kind: 'came', why, since: this.#since ?? at })
    this.#since = undefined
  }

  /** So it is, though no socket was closed: their gateway is no more, or stands still. */
  went(why: string): void {
    this.passages.push({ at: systemScheduler.now(), kind: 'went', why })
  }

  leave(why: string): void {
    this.went(why)
    this.close()
  }

  close(): void {
    clearInterval(this.#pinging)
    this.#socket?.close()
    this.#socket = undefined
  }

  watch(users: readonly string[]): void {
    this.#socket?.send(JSON.stringify({ type: 'watch', users }))
  }
}
