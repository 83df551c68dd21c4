import { randomUUID } from 'node:crypto'
import type { Session } from '@klatsch/contracts'
import { inject } from 'vitest'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Whatever the body is as JSON; undefined where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look at what came, whatever it is.
  readonly body: any
  readonly text: string
}

/** One HTTP call, as anyone could make it. `body` as it is when text, else as JSON. */
export async function call(
  method: string,
  path: string,
  options: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { token, body, headers = {} } = options
  const json = body !== undefined && typeof body !== 'string'
  const response = await fetch(`${inject('stack').baseUrl}${path}`, {
    method,
    headers: {
      ...(json ? { 'content-type': 'application/json' } : {}),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : (body as string) }),
    signal: AbortSignal.timeout(30_000),
  })
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text ? JSON.parse(text) : undefined,
  }
}

export interface TestPerson extends Session {
  readonly token: string
  readonly actor: string
}

const personOf = (session: Session): TestPerson => ({
  ...session,
  token: session.accessToken,
  actor: `user:${session.user.id}`,
})

/** A name nobody has. */
export const freshName = (): string => `t-${randomUUID().slice(0, 13)}`

export const PASSWORD = 'correct horse battery'

export async function registered(): Promise<TestPerson> {
  const body = { username: freshName(), password: PASSWORD }
  return personOf((await call('POST', '/api/auth/register', { body })).body)
}

export async function guest(): Promise<TestPerson> {
  return personOf((await call('POST', '/api/auth/guest', { body: { username: freshName() } })).body)
}

/** A room of this person's, with these others in it. Answers its stream. */
export async function roomOf(
  owner: TestPerson,
  members: readonly TestPerson[] = [],
  room: { visibility?: 'public' | 'private' } = {},
): Promise<string> {
  const { body } = await call('POST', '/api/rooms', { token: owner.token, body: { name: 'Test', ...room } })
  for (const { token } of members) await call('POST', `/api/rooms/${body.room.id}/join`, { token })
  return `room:${body.room.id}`
}

export const idOf = (room: string): string => room.slice('room:'.length)
