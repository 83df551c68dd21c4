import { setImmediate } from 'node:timers/promises'
import { createClient } from '../src/client.ts'
import type { Client, ClientEvents, ClientOptions } from '../src/types.ts'
import { FakeSocket } from './fake-server.ts'
import { type HandScheduler, handScheduler } from './hand-scheduler.ts'

const WATCHED = [
  'state',
  'event',
  'digest',
  'reset',
  'live',
  'unfollowed',
  'accepted',
  'rejected',
  'diverged',
  'presence',
  'typing',
  'online',
  'storageFailed',
] as const
type Watched = (typeof WATCHED)[number]

export interface Bench {
  readonly client: Client
  readonly sockets: FakeSocket[]
  readonly scheduler: HandScheduler
  /** Tokens asked for, each with the stale one given. */
  readonly asked: (string | undefined)[]
  readonly seen: { [K in Watched]: ClientEvents[K][] }
  /** The latest socket. */
  readonly socket: FakeSocket
  /** Connects, opens, says welcome. */
  welcome(streams?: { subject: string; first?: number; head: number }[]): Promise<FakeSocket>
  /** Lets promises settle without time passing. */
  settle(): Promise<void>
}

/** A client with a server, a clock and chance (always one half) in the hands of the test. */
export function bench(options: Partial<ClientOptions> = {}): Bench {
  const scheduler = handScheduler()
  const sockets: FakeSocket[] = []
  const asked: (string | undefined)[] = []
  let ids = 0
  const client = createClient({
    url: 'ws://server/ws',
    token: async (stale) => {
      asked.push(stale)
      return `token-${asked.length}`
    },
    openSocket(url, protocol) {
      const socket = new FakeSocket(url, protocol)
      sockets.push(socket)
      return socket
    },
    scheduler,
    random: () => 0.5,
    newId: () => `00000000-0000-7000-9000-${(++ids).toString(16).padStart(12, '0')}`,
    ...options,
  })
  const seen = Object.fromEntries(WATCHED.map((name) => [name, []])) as unknown as Bench['seen']
  for (const name of WATCHED) client.on(name, (value) => void (seen[name] as unknown[]).push(value))
  return {
    client,
    sockets,
    scheduler,
    asked,
    seen,
    get socket() {
      return sockets.at(-1)!
    },
    async welcome(streams) {
      client.connect()
      await setImmediate()
      const socket = sockets.at(-1)!
      socket.open()
      socket.welcome(streams)
      await setImmediate()
      return socket
    },
    async settle() {
      await setImmediate()
    },
  }
}

/** An access token as far as a client reads it. */
export function jwt(claims: { exp: number; iat?: number }): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'EdDSA' })}.${part(claims)}.sig`
}
