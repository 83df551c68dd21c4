import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PresenceState, Session } from '@klatsch/contracts'
import { freePorts, type Stack } from '@klatsch/local-stack'
import { WebSocket } from 'ws'

export async function until(what: string, ms: number, done: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + ms; !(await done()); await sleep(50)) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
  }
}

/** One more instance of a service than the stack has, as a process of its own. */
export interface Instance {
  readonly url: string
  signal(signal: NodeJS.Signals): void
  readonly ended: Promise<void>
}

export async function launch(
  stack: Stack,
  service: 'gateway' | 'presence',
  env: NodeJS.ProcessEnv,
): Promise<Instance> {
  const [port = 0] = await freePorts(1)
  const main = fileURLToPath(new URL(`../../services/${service}/src/main.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: {
      ...env,
      KAFKA_BROKERS: stack.brokers,
      CHAT_URL: stack.urls.chat,
      PORT: String(port),
      LOG_LEVEL: 'error',
    },
    stdio: 'inherit',
  })
  const url = `http://127.0.0.1:${port}`
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await until(`${service} to be ready`, 60_000, async () => {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) }).catch(() => undefined)
    return answer?.ok ?? false
  })
  return { url, ended, signal: (signal) => void child.kill(signal) }
}

export interface Told {
  readonly user: string
  readonly state: PresenceState
  readonly version: number
  readonly at: number
}

/** A person with one socket, which follows nothing and keeps what it is told of others. */
export class Person {
  readonly id: string
  readonly told: Told[] = []
  #socket: WebSocket | undefined
  readonly #token: string

  private constructor(session: Session) {
    this.id = session.user.id
    this.#token = session.accessToken
  }

  /** A guest; many at once may have to come again, as the answer says. */
  static async guest(chatUrl: string, username: string): Promise<Person> {
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(`${chatUrl}/api/auth/guest`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: `${username}-${tries}` }),
        signal: AbortSignal.timeout(60_000),
      })
      if (response.ok) return new Person((await response.json()) as Session)
      if (response.status !== 503 || tries === 10) {
        throw new Error(`a guest was refused: ${await response.text()}`)
      }
      await sleep(1_000)
    }
  }

  /** Resolves once welcomed. */
  async enter(gatewayUrl: string): Promise<void> {
    const socket = new WebSocket(`${gatewayUrl.replace('http', 'ws')}/ws`, 'klatsch.v1')
    this.#socket = socket
    const welcomed = Promise.withResolvers<void>()
    socket.on('open', () => this.#send({ type: 'hello', token: this.#token, follow: [] }))
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data))
      if (frame.type === 'welcome') welcomed.resolve()
      if (frame.type !== 'presence.changed.v1') return
      const { state, version } = frame.data
      this.told.push({ user: frame.subject.slice('user:'.length), state, version, at: Date.now() })
    })
    socket.on('error', welcomed.reject)
    await welcomed.promise
  }

  watch(users: readonly string[]): void {
    this.#send({ type: 'watch', users })
  }

  leave(): void {
    this.#socket?.close()
  }

  #send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame))
  }
}

/** Runs `work` for each, so many at a time. */
export async function inBatches<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(work))
}

/** Quantiles of some figures, in words. */
export function spread(figures: readonly number[]): string {
  const sorted = [...figures].sort((a, b) => a - b)
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
  return sorted.length === 0
    ? 'none'
    : `n ${sorted.length} · min ${sorted[0]} · p50 ${at(0.5)} · p99 ${at(0.99)} · max ${sorted.at(-1)} ms`
}
