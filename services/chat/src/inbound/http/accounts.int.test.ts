import { sessionSchema, userSchema } from '@klatsch/contracts'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { INTERNAL_TOKEN, type TestServer, testServer } from '../../../test/http.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server?.end())

const password = 'correct horse'
const register = (username: string, over = {}) =>
  server.post('/api/auth/register', { username, password, ...over })
const login = (username: string, given = password) =>
  server.post('/api/auth/login', { username, password: given })
const guest = (username: string) => server.post('/api/auth/guest', { username })
const refresh = (refreshToken: string, key?: string) =>
  server.post('/api/auth/refresh', { refreshToken }, key === undefined ? {} : { 'idempotency-key': key })
const HOUR_MS = 3_600_000

describe('accounts', () => {
  test('are registered, and signed in to by name and password', async () => {
    const made = await register('Ada', { displayName: 'Ada L.' })
    expect(made.status).toBe(201)
    const session = sessionSchema.strict().parse(made.body)
    expect(session).toMatchObject({ expiresIn: 900 })
    expect(userSchema.strict().parse(session.user)).toMatchObject({
      username: 'Ada',
      displayName: 'Ada L.',
      guest: false,
      admin: false,
    })
    const again = await login('aDA')
    expect(again.status).toBe(200)
    expect(again.body.user).toEqual(session.user)
    expect((await server.get('/api/auth/me', again.body.accessToken)).body).toEqual({ user: session.user })
  })
  test.each([
    ['ada', 'aDA'],
    ['ÄRGER', 'ärger'],
    ['ﬁsh', 'fish'],
    ['Ⅷ', 'viii'],
  ])('names that only look different are one name: %s and %s', async (one, other) => {
    expect((await register(`one-${one}`)).status).toBe(201)
    expect((await register(`one-${other}`)).body.code).toBe('account.name_taken')
  })
  test('two who want one name at once do not both get it', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => guest('Highlander')))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409])
  })
  test('a wrong name and a wrong password answer alike', async () => {
    await register('Bob')
    const answers = [
      await login('Bob', 'wrong'),
      await login('Nobody', 'wrong'),
      await login('no\u0000body'),
      await login('\ud800'),
    ]
    for (const { status, body } of answers)
      expect([status, body.code]).toEqual([401, 'auth.wrong_credentials'])
  })
  test('only the name that the settings give is an administrator', async () => {
    expect((await register('root')).body.user).toMatchObject({ admin: true })
    expect((await register('root2')).body.user).toMatchObject({ admin: false })
  })
  test('a password is told to nobody', async () => {
    const { rows } = await server.database.pool().query('SELECT * FROM users')
    expect(JSON.stringify(rows)).not.toContain(password)
    expect(rows.find((row) => row.username === 'Ada').password_hash).toMatch(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/,
    )
  })
})

describe('guests', () => {
  test('come by a name, and keep it while they are here', async () => {
    const { status, body } = await guest('Gus')
    expect(status).toBe(200)
    expect(body.user).toMatchObject({ username: 'Gus', guest: true, admin: false })
    expect((await guest('gus')).body.code).toBe('account.name_taken')
    expect((await register('GUS')).body.code).toBe('account.name_taken')
    expect((await login('Gus', '')).status).toBe(400)
    expect((await login('Gus', 'x')).body.code).toBe('auth.wrong_credentials')
  })
  test('free their name by leaving, and when their sessions are over', async () => {
    const first = (await guest('Ghost')).body
    await server.post('/api/auth/logout', { refreshToken: first.refreshToken })
    const second = (await guest('ghost')).body
    expect(second.user.id).not.toBe(first.user.id)
    expect((await guest('Ghost')).status).toBe(409)
    server.later(25 * HOUR_MS)
    expect((await register('ghost')).status).toBe(201)
    expect((await guest('Ghost')).status).toBe(409)
  })
  test('cannot take the name of the administrator', async () => {
    expect((await guest('root')).status).toBe(409)
  })
})

describe('access tokens', () => {
  test('can be checked by anyone with the public keys', async () => {
    const { accessToken, user } = await server.person()
    const jwks = (await server.get('/.well-known/jwks.json')).body
    expect(JSON.stringify(jwks)).not.toContain('"d"')
    const { payload } = await jwtVerify(accessToken, createLocalJWKSet(jwks), {
      issuer: 'klatsch',
      audience: 'klatsch',
      currentDate: new Date((await import('jose')).decodeJwt(accessToken).iat! * 1_000),
    })
    expect(payload).toMatchObject({
      sub: user.id,
      sid: expect.any(String),
      username: user.username,
      name: user.displayName,
      guest: true,
      admin: false,
    })
    expect(payload.exp! - payload.iat!).toBe(900)
    expect(decodeProtectedHeader(accessToken)).toMatchObject({ alg: 'EdDSA', kid: jwks.keys[0].kid })
  })
  test('end, and forged ones are none', async () => {
    const { accessToken } = await server.person()
    const [head, body, signature = ''] = accessToken.split('.')
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
    for (const forged of ['x', `${none}.${body}.`, `${head}.${body}.${signature.replace(/^./, 'A')}x`]) {
      const { status, body: problem } = await server.get('/api/auth/me', forged)
      expect([status, problem.code]).toEqual([401, 'auth.invalid_token'])
    }
    expect((await server.get('/api/auth/me')).body.code).toBe('auth.required')
    server.later(901_000)
    expect((await server.get('/api/auth/me', accessToken)).body.code).toBe('auth.expired')
  })
})

describe('[H3] refresh tokens', () => {
  test('are exchanged for the next, each once', async () => {
    const first = await server.person()
    const second = (await refresh(first.refreshToken)).body
    expect(sessionSchema.parse(second).user).toEqual(first.user)
    const third = await refresh(second.refreshToken)
    expect(third.status).toBe(200)
  })
  test('used again end the whole family', async () => {
    const first = await server.person()
    const second = (await refresh(first.refreshToken)).body
    const reused = await refresh(first.refreshToken)
    expect([reused.status, reused.body.code]).toEqual([401, 'auth.refresh_reused'])
    const after = await refresh(second.refreshToken)
    expect([after.status, after.body.code]).toEqual([401, 'auth.invalid_token'])
  })
  test('used by two at once are good for one at most', async () => {
    const { refreshToken } = await server.person()
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(refreshToken)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })
  test('[H1] repeated under the key of a request whose answer was lost, are answered again', async () => {
    const { refreshToken } = await server.person()
    const lost = (await refresh(refreshToken, 'k1')).body
    const got = await refresh(refreshToken, 'k1')
    expect(got.status).toBe(200)
    expect((await refresh(lost.refreshToken)).body.code).toBe('auth.invalid_token')
    const next = await refresh(got.body.refreshToken)
    expect(next.status).toBe(200)
    expect((await refresh(refreshToken, 'k1')).body.code).toBe('auth.refresh_reused')
    expect((await refresh(next.body.refreshToken)).body.code).toBe('auth.invalid_token')
  })
  test('end with the session', async () => {
    const { refreshToken } = await server.person()
    server.later(25 * HOUR_MS)
    expect((await refresh(refreshToken)).body.code).toBe('auth.expired')
    expect((await refresh('unknown')).body.code).toBe('auth.invalid_token')
  })
  test('are kept as hashes', async () => {
    const { refreshToken } = await server.person()
    const { rows } = await server.database.pool().query('SELECT * FROM refresh_tokens')
    expect(JSON.stringify(rows)).not.toContain(refreshToken)
  })
  test('end by logging out, with the token or from within', async () => {
    const one = await server.person()
    expect((await server.post('/api/auth/logout', { refreshToken: one.refreshToken })).status).toBe(204)
    expect((await refresh(one.refreshToken)).body.code).toBe('auth.invalid_token')
    const other = await server.person()
    const out = await server.call('POST', '/api/auth/logout', { token: other.accessToken })
    expect(out.status).toBe(204)
    expect((await refresh(other.refreshToken)).body.code).toBe('auth.invalid_token')
    expect((await server.post('/api/auth/logout', {})).body.code).toBe('auth.required')
  })
})

describe('[H4] the end of a session', () => {
  const told = (userId: string) =>
    server.asked
      .filter(({ key, headers }) => key === `user:${userId}` && headers.ce_type === 'chat.session.end.v1')
      .map(({ value }) => JSON.parse(String(value)))

  test('makes its tokens worthless, though they have not expired, and is told on the log', async () => {
    const one = await server.person()
    await server.post('/api/auth/logout', { refreshToken: one.refreshToken })
    expect((await server.get('/api/auth/me', one.accessToken)).body.code).toBe('auth.session_ended')
    await expect.poll(() => told(one.user.id)).toMatchObject([{ actor: 'system:chat' }])
    const [{ data }] = told(one.user.id)
    const ended = (await server.internal('/internal/sessions/ended', {})).body.sessions
    expect(ended).toContain(data.session)
    const asked = { user: one.user.id, follow: 'all', session: data.session }
    const other = { user: one.user.id, follow: [] }
    const { answers } = (await server.internal('/internal/streams', { questions: [other, asked, other] }))
      .body
    expect(answers).toEqual([[], 'ended', []])
  })
  test('is told when a refresh token is used again, and only then', async () => {
    const one = await server.person()
    await refresh(one.refreshToken)
    expect(told(one.user.id)).toEqual([])
    expect((await refresh(one.refreshToken)).body.code).toBe('auth.refresh_reused')
    await expect.poll(() => told(one.user.id)).toHaveLength(1)
  })
  test('is told again after a crash in between, as the same command', async () => {
    const one = await server.person()
    await server.post('/api/auth/logout', { refreshToken: one.refreshToken })
    await expect.poll(() => told(one.user.id)).toHaveLength(1)
    const untold = `UPDATE sessions SET end_told_at = NULL WHERE user_id = $1 AND end_told_at IS NOT NULL`
    await expect
      .poll(async () => (await server.database.pool().query(untold, [one.user.id])).rowCount)
      .toBe(1)
    server.tellSessionEnds()
    await expect.poll(() => told(one.user.id)).toHaveLength(2)
    const [first, second] = told(one.user.id)
    expect(second.id).toBe(first.id)
  })
})

describe('everyone is brought into the global room', () => {
  test('by a command, until it has an outcome; who leaves stays away', async () => {
    const person = await server.person()
    const joins = () => server.asked.filter(({ value }) => String(value).includes(person.user.id))
    await expect.poll(() => joins().length).toBe(1)
    await server.get('/api/auth/me', person.accessToken)
    await expect.poll(() => joins().length).toBe(2)
    const [first, second] = joins()
    expect(first).toMatchObject({ topic: 'chat.commands', key: 'room:global' })
    expect(JSON.parse(String(first?.value)).id).toBe(JSON.parse(String(second?.value)).id)
    expect(JSON.parse(String(first?.value))).toMatchObject({
      type: 'chat.room.join.v1',
      actor: `user:${person.user.id}`,
      guest: true,
    })
  })
})

describe('limits', () => {
  test('an address that tries too much is told to wait; a gateway speaks for its people', async () => {
    const strict = await testServer({ perMinute: 3 })
    try {
      const tries = async (headers: Record<string, string>) => {
        const codes: (number | undefined)[] = []
        for (let i = 0; i < 4; i++) {
          codes.push((await strict.post('/api/auth/login', { username: 'x', password: 'y' }, headers)).status)
        }
        return codes
      }
      const limited = [401, 401, 401, 429]
      expect(await tries({})).toEqual(limited)
      expect(await tries({ 'x-forwarded-for': '10.0.0.1' })).toEqual([429, 429, 429, 429])
      const gateway = { 'x-internal-token': INTERNAL_TOKEN }
      expect(await tries({ ...gateway, 'x-forwarded-for': '10.0.0.1' })).toEqual(limited)
      expect(await tries({ ...gateway, 'x-forwarded-for': '10.0.0.2' })).toEqual(limited)
      const answer = await strict.post('/api/auth/login', { username: 'x', password: 'y' })
      expect(answer.body).toMatchObject({ code: 'limit.rate', retryAfterMs: expect.any(Number) })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    } finally {
      await strict.end()
    }
  })
})

test('nothing went wrong behind the scenes', () => {
  expect(server.errors).toEqual([])
})
