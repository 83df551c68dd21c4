import { randomBytes } from 'node:crypto'
import type { Session, User } from '@klatsch/contracts'
import { httpServer } from '@klatsch/service-kit'
import { v7 } from 'uuid'
import { chatRoutes } from '../src/inbound/http/routes.ts'
import { commandProcessor } from '../src/inbound/processor.ts'
import { accessTokens } from '../src/outbound/access-tokens.ts'
import { prismaAccounts } from '../src/outbound/accounts.ts'
import { postgresCommandRows } from '../src/outbound/command-rows.ts'
import { argonPasswords } from '../src/outbound/passwords.ts'
import { prismaClient } from '../src/outbound/prisma.ts'
import { prismaRooms } from '../src/outbound/rooms.ts'
import { newSalt } from '../src/outbound/salt.ts'
import { tellSessionEnds } from '../src/outbound/session-ends.ts'
import { signingKeys } from '../src/outbound/signing-keys.ts'
import { postgresStore } from '../src/outbound/store.ts'
import { postgresStreams } from '../src/outbound/streams.ts'
import { globalRoomWelcome } from '../src/outbound/welcome.ts'
import { rawRecord, type TestCommand } from './commands.ts'
import { testDatabase } from './database.ts'
import { followUpsOf, recordingPublisher } from './publisher.ts'
import { calm } from './world.ts'

export const INTERNAL_TOKEN = 'internal-token-of-the-tests'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly body: any
}

/** Chat's HTTP over a Postgres of its own, with a clock that can be moved and a log that only remembers. */
export async function testServer(over: { perMinute?: number } = {}) {
  const database = await testDatabase()
  const prisma = prismaClient(database.pool({ hot: false }))
  const store = postgresStore(database.pool())
  const publisher = recordingPublisher()
  let later = 0
  const now = () => Date.now() + later
  const accounts = prismaAccounts({
    prisma,
    now,
    newId: v7,
    newSecret: () => randomBytes(32).toString('base64url'),
    onRevoked: () => ends.tell(),
  })
  const ends = tellSessionEnds({ accounts, publisher, now, onFault: (error) => errors.push(error) })
  const keys = await signingKeys(prisma, new Date(now()))
  const tokens = accessTokens(keys, now, accounts.isAlive)
  const rate = { perMinute: over.perMinute ?? 100_000, burst: over.perMinute ?? 100_000 }
  const errors: unknown[] = []
  const quiet = {
    debug() {},
    info() {},
    warn() {},
    error: (fields: object) => errors.push(fields),
    child: () => quiet,
  }
  const server = await httpServer({
    host: '127.0.0.1',
    port: 0,
    log: quiet,
    health: {},
    routes: (app) =>
      chatRoutes(app, {
        ...{ accounts, tokens, keys, store, now },
        welcome: globalRoomWelcome({ prisma, publisher, now, onFault: (error) => errors.push(error) }),
        streams: postgresStreams(database.pool()),
        commandRows: postgresCommandRows(database.pool()),
        rooms: prismaRooms(prisma),
        passwords: argonPasswords(),
        internalToken: INTERNAL_TOKEN,
        adminUsername: 'Root',
        passwordRate: rate,
        guestRate: rate,
      }),
  })
  const processor = commandProcessor({ store, publisher, now, newSalt })

  async function call(
    method: string,
    path: string,
    options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { body, token } = options
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const json = response.headers.get('content-type')?.includes('json')
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: json ? JSON.parse(text) : undefined,
    }
  }

  /** Decides commands as if they came from the log, and the follow-ups they bring about. */
  async function feed(...commands: TestCommand[]): Promise<void> {
    await processor.handle(
      commands.map(({ record }) => record),
      calm,
    )
    const waiting = followUpsOf(publisher.records.splice(0))
    if (waiting.length > 0) {
      await processor.handle(
        waiting.map(({ key, value, headers }) => rawRecord(key, value, headers)),
        calm,
      )
    }
  }

  let named = 0
  async function person(): Promise<Session> {
    const { body } = await call('POST', '/api/auth/guest', { body: { username: `someone-${++named}` } })
    return body
  }

  return {
    call,
    get: (path: string, token?: string) => call('GET', path, token === undefined ? {} : { token }),
    post: (path: string, body?: unknown, headers: Record<string, string> = {}) =>
      call('POST', path, { ...(body === undefined ? {} : { body }), headers }),
    internal: (path: string, body: unknown) => call('POST', path, { body, token: INTERNAL_TOKEN }),
    feed,
    person,
    asked: publisher.records,
    tellSessionEnds: ends.tell,
    errors,
    database,
    store,
    later(ms: number) {
      later += ms
    },
    actorOf: (user: User) => `user:${user.id}`,
    async end() {
      await server.close()
      await prisma.$disconnect()
      await database.end()
    },
  }
}
export type TestServer = Awaited<ReturnType<typeof testServer>>
