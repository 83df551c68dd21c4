import {
  type Audit,
  auditSchema,
  type CommandInput,
  type CommandState,
  commandStateSchema,
  isErrorCode,
  KlatschError,
  memberSchema,
  messageSchema,
  roomSchema,
  type Session,
  sessionSchema,
  streamEventSchema,
  userSchema,
} from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import { v7 } from 'uuid'
import { z } from 'zod'

/** A write waits 10 s for its outcome on the server. */
const WRITE_MS = 15_000
const READ_MS = 10_000
const WRITE_ATTEMPTS = 3
const MAX_RETRY_AFTER_MS = 5_000

const next = z.union([z.string(), z.number()]).optional()
const page = <S extends z.ZodType>(item: S) => z.object({ items: z.array(item), next })
const history = <S extends z.ZodType>(item: S) => page(item).extend({ head: z.int().nonnegative() })
const problem = z.object({
  code: z.string(),
  title: z.string().optional(),
  detail: z.string().optional(),
  retryAfterMs: z.number().optional(),
})

const answers = {
  user: z.object({ user: userSchema }),
  rooms: page(roomSchema),
  room: z.object({ room: roomSchema }),
  /** Of a write: as much of the room as the event says. */
  written: z.object({ room: roomSchema.partial().extend({ id: z.string() }) }),
  members: page(memberSchema),
  messages: history(messageSchema),
  events: history(streamEventSchema),
  users: z.object({ items: z.array(userSchema) }),
  none: z.unknown(),
}

export interface ApiOptions {
  /** Where the server is, without `/api`: `http://host:port`; empty for the page's own. */
  readonly baseUrl: string
  readonly fetch?: typeof fetch
  /** The access token for calls that need one; asked once more, with the `stale` one, when that was refused. */
  readonly token?: (stale?: string) => Promise<string>
}

/** `before` and `after` are seqs, exclusive. */
export type HistoryQuery = { readonly before?: number; readonly after?: number; readonly limit?: number }

/** `id`: the command's id, the same for every repetition of one wish; made when absent. */
export interface WriteOptions {
  readonly id?: string
}

/** Room ids as in `GET /api/rooms`, without `room:`. Every call has a time limit and rejects with `KlatschError`. */
export type Api = ReturnType<typeof createApi>

export function createApi(options: ApiOptions) {
  const { fetch = globalThis.fetch.bind(globalThis), token } = options

  async function request(method: string, path: string, init: RequestInit, ms: number): Promise<Response> {
    try {
      const signal = AbortSignal.timeout(ms)
      return await fetch(`${options.baseUrl}/api${path}`, { ...init, method, signal })
    } catch (cause) {
      const late = cause instanceof Error && cause.name === 'TimeoutError'
      throw new KlatschError(late ? 'server.timeout' : 'server.unavailable', undefined, { cause })
    }
  }

  async function call<S extends z.ZodType>(
    method: string,
    path: string,
    answer: S,
    {
      body,
      key,
      authorized = true,
      ms = READ_MS,
    }: { body?: unknown; key?: string; authorized?: boolean; ms?: number },
  ): Promise<{ status: number; value: z.output<S> }> {
    let bearer = authorized && token ? await token() : undefined
    for (let first = true; ; first = false) {
      const headers: Record<string, string> = {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      }
      const init = { headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
      const response = await request(method, path, init, ms)
      if (response.ok) return { status: response.status, value: await read(response, answer) }
      const error = await problemOf(response)
      if (!first || bearer === undefined || !token || !isTokenFault(error)) throw error
      bearer = await token(bearer)
    }
  }

  const get = async <S extends z.ZodType>(path: string, answer: S): Promise<z.output<S>> =>
    (await call('GET', path, answer, {})).value

  const post = async <S extends z.ZodType>(
    path: string,
    answer: S,
    body: unknown,
    key?: string,
  ): Promise<z.output<S>> => {
    const named = key === undefined ? {} : { key }
    return (await call('POST', path, answer, { body, ...named, authorized: false, ms: WRITE_MS })).value
  }

  /** A wish: the same key until its outcome is known, so repeating it changes nothing twice. */
  async function write<S extends z.ZodType>(
    method: string,
    path: string,
    answer: S,
    body: unknown,
    { id: key = v7() }: WriteOptions,
  ): Promise<z.output<S>> {
    let last: KlatschError = new KlatschError('server.timeout')
    for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt += 1) {
      try {
        const { status, value } = await call(method, path, z.unknown(), { body, key, ms: WRITE_MS })
        if (status !== 202) return valid(answer, value)
        last = new KlatschError('server.timeout')
      } catch (error) {
        if (!(error instanceof KlatschError) || !error.retryable) throw error
        last = error
        const wait = Math.min(error.retryAfterMs ?? 250 * attempt, MAX_RETRY_AFTER_MS)
        await pause(systemScheduler, wait)
      }
    }
    throw last
  }

  const room = (id: string) => `/rooms/${encodeURIComponent(id)}`

  return {
    register: (body: { username: string; password: string; displayName?: string }): Promise<Session> =>
      post('/auth/register', sessionSchema, body),
    login: (body: { username: string; password: string }): Promise<Session> =>
      post('/auth/login', sessionSchema, body),
    guest: (body: { username: string }): Promise<Session> => post('/auth/guest', sessionSchema, body),
    /** Each token is exchanged once; whoever got no answer asks again with the same `id`. */
    refresh: (refreshToken: string, { id }: WriteOptions = {}): Promise<Session> =>
      post('/auth/refresh', sessionSchema, { refreshToken }, id),
    logout: async (refreshToken?: string): Promise<void> => {
      await call('POST', '/auth/logout', answers.none, {
        body: refreshToken === undefined ? {} : { refreshToken },
      })
    },
    me: async () => (await get('/auth/me', answers.user)).user,

    rooms: (scope: 'mine' | 'public', query: { after?: string; limit?: number } = {}) =>
      get(`/rooms${search({ scope, ...query })}`, answers.rooms),
    room: async (id: string) => (await get(room(id), answers.room)).room,
    createRoom: async (body: CommandInput<'chat.room.create.v1'>, options: WriteOptions = {}) =>
      (await write('POST', '/rooms', answers.written, body, options)).room,
    rename: async (id: string, body: CommandInput<'chat.room.rename.v1'>, options: WriteOptions = {}) =>
      (await write('PATCH', room(id), answers.written, body, options)).room,
    join: async (id: string, options: WriteOptions = {}): Promise<void> => {
      await write('POST', `${room(id)}/join`, answers.none, {}, options)
    },
    leave: async (id: string, options: WriteOptions = {}): Promise<void> => {
      await write('POST', `${room(id)}/leave`, answers.none, {}, options)
    },
    members: (id: string, query: { after?: string; limit?: number } = {}) =>
      get(`${room(id)}/members${search(query)}`, answers.members),
    messages: (id: string, query: HistoryQuery = {}) =>
      get(`${room(id)}/messages${search(query)}`, answers.messages),
    /** The events themselves, ascending, fields nobody knows yet left out. */
    events: (id: string, query: Omit<HistoryQuery, 'before'> = {}) =>
      get(`${room(id)}/events${search(query)}`, answers.events),
    users: async (ids: readonly string[]) =>
      (await get(`/users${search({ ids: ids.join(',') })}`, answers.users)).items,

    /** What the gateway that answers has compared. Needs no session. */
    audit: async (): Promise<Audit> =>
      (await call('GET', '/audit', auditSchema, { authorized: false })).value,

    commandState: (id: string): Promise<CommandState> =>
      get(`/commands/${encodeURIComponent(id)}`, commandStateSchema),
    cancelCommand: async (id: string): Promise<CommandState> =>
      (await call('DELETE', `/commands/${encodeURIComponent(id)}`, commandStateSchema, {})).value,
  }
}

function search(query: Record<string, string | number | undefined>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  )
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}

const isTokenFault = (error: KlatschError): boolean =>
  error.code === 'auth.expired' || error.code === 'auth.invalid_token'

async function read<S extends z.ZodType>(response: Response, answer: S): Promise<z.output<S>> {
  let value: unknown
  try {
    const text = await response.text()
    value = text === '' ? undefined : JSON.parse(text)
  } catch (cause) {
    throw new KlatschError('server.unavailable', 'the answer was cut off or is not JSON', { cause })
  }
  return valid(answer, value)
}

function valid<S extends z.ZodType>(answer: S, value: unknown): z.output<S> {
  const parsed = answer.safeParse(value)
  if (!parsed.success) {
    throw new KlatschError('server.internal', 'the answer has not the form it should', {
      cause: parsed.error,
    })
  }
  return parsed.data
}

async function problemOf(response: Response): Promise<KlatschError> {
  const parsed = problem.safeParse(await response.json().catch(() => undefined))
  // Not from this server: something between it and here.
  if (!parsed.success) {
    return new KlatschError(
      response.status >= 500 ? 'server.unavailable' : 'request.invalid',
      `HTTP ${response.status}`,
    )
  }
  const { code, detail, title, retryAfterMs } = parsed.data
  const known = isErrorCode(code) ? code : response.status >= 500 ? 'server.internal' : 'request.invalid'
  return new KlatschError(
    known,
    detail ?? title ?? code,
    retryAfterMs === undefined ? undefined : { retryAfterMs },
  )
}
