import { describe, expect, test } from 'vitest'
import { createApi } from './api.ts'

interface Call {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: unknown
}

/** A server that answers each call with the next of these. */
function server(...answers: (Response | Error)[]) {
  const calls: Call[] = []
  const fake: typeof fetch = async (url, init) => {
    const { method = 'GET', headers, body } = init ?? {}
    calls.push({
      method,
      url: String(url),
      headers: new Headers(headers),
      body: body ? JSON.parse(String(body)) : undefined,
    })
    const answer = answers.shift()
    if (!answer) throw new Error('one call too many')
    if (answer instanceof Error) throw answer
    return answer
  }
  return { calls, fetch: fake }
}

const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status })
const problem = (status: number, code: string, more: object = {}) =>
  json({ type: 'about:blank', title: 'No', status, code, detail: 'so it is', ...more }, status)
const user = {
  id: '00000000-0000-4000-8000-000000000001',
  username: 'ada',
  displayName: 'Ada',
  guest: false,
  admin: false,
}
const room = { id: 'r', name: 'R', topic: '', visibility: 'public', memberCount: 1, member: true }
const ID = '00000000-0000-4000-8000-00000000000a'

describe('the HTTP client', () => {
  test('reads with the token, and checks the form of the answer', async () => {
    const { calls, fetch } = server(json({ items: [room], next: 'n' }), json({ items: [{}] }))
    const api = createApi({ baseUrl: 'http://h', fetch, token: async () => 't' })
    expect(await api.rooms('mine', { after: 'x y' })).toEqual({ items: [room], next: 'n' })
    expect(calls[0]).toMatchObject({ method: 'GET', url: 'http://h/api/rooms?scope=mine&after=x+y' })
    expect(calls[0]!.headers.get('authorization')).toBe('Bearer t')
    await expect(api.rooms('mine')).rejects.toMatchObject({ code: 'server.internal' })
  })

  test('problems become errors with their code', async () => {
    const { fetch } = server(
      problem(404, 'room.not_found'),
      problem(429, 'limit.rate', { retryAfterMs: 70 }),
      problem(418, 'tea.pot'),
      new Response('<html>Bad Gateway</html>', { status: 502 }),
    )
    const api = createApi({ baseUrl: '', fetch })
    await expect(api.room('x')).rejects.toMatchObject({ code: 'room.not_found', message: 'so it is' })
    await expect(api.room('x')).rejects.toMatchObject({ code: 'limit.rate', retryAfterMs: 70 })
    await expect(api.room('x')).rejects.toMatchObject({ code: 'request.invalid' })
    await expect(api.room('x')).rejects.toMatchObject({ code: 'server.unavailable' })
  })

  test('no server, and no answer in time', async () => {
    const { fetch } = server(new TypeError('fetch failed'), new DOMException('late', 'TimeoutError'))
    const api = createApi({ baseUrl: '', fetch })
    await expect(api.me()).rejects.toMatchObject({ code: 'server.unavailable' })
    await expect(api.me()).rejects.toMatchObject({ code: 'server.timeout' })
  })

  test('a refused token is replaced once', async () => {
    const { calls, fetch } = server(
      problem(401, 'auth.expired'),
      json({ user }),
      problem(401, 'auth.expired'),
      problem(401, 'auth.expired'),
    )
    const api = createApi({ baseUrl: '', fetch, token: async (stale) => (stale ? `after ${stale}` : 't') })
    expect(await api.me()).toEqual(user)
    expect(calls[1]!.headers.get('authorization')).toBe('Bearer after t')
    await expect(api.me()).rejects.toMatchObject({ code: 'auth.expired' })
  })

  test('a write is repeated under the same key until its outcome is known', async () => {
    const { calls, fetch } = server(
      problem(503, 'server.unavailable', { retryAfterMs: 1 }),
      json({ state: 'unknown' }, 202),
      json({ room: { id: 'r', name: 'R' } }, 201),
    )
    const api = createApi({ baseUrl: '', fetch, token: async () => 't' })
    expect(await api.createRoom({ name: 'R' }, { id: ID })).toEqual({ id: 'r', name: 'R' })
    expect(calls.map((call) => call.headers.get('idempotency-key'))).toEqual([ID, ID, ID])
    expect(calls[2]!.body).toEqual({ name: 'R' })
  })

  test('a write refused for good is not repeated', async () => {
    const { calls, fetch } = server(problem(403, 'room.not_allowed'))
    const api = createApi({ baseUrl: '', fetch, token: async () => 't' })
    await expect(api.join('r')).rejects.toMatchObject({ code: 'room.not_allowed' })
    expect(calls).toHaveLength(1)
  })
})
