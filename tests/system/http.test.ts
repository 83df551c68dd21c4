import { randomUUID } from 'node:crypto'
import { errorCodes } from '@klatsch/contracts'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Answer, call, freshName, guest, idOf, registered, roomOf, type TestPerson } from './people.ts'
import { acked, enter, sendFrame } from './wire.ts'

const PASSWORD = 'correct horse battery'

/** A problem as RFC 9457 has it, with the status and title of its code. */
function expectProblem(answer: Answer, code: keyof typeof errorCodes): void {
  expect(answer.body, answer.text).toMatchObject({
    type: 'about:blank',
    code,
    title: errorCodes[code].title,
    status: errorCodes[code].status,
    detail: expect.any(String),
  })
  expect(answer.status).toBe(errorCodes[code].status)
  expect(answer.headers.get('content-type')).toContain('application/problem+json')
}

let ada: TestPerson
let bob: TestPerson
let room: string
beforeAll(async () => {
  ;[ada, bob] = await Promise.all([registered(), registered()])
  room = idOf(await roomOf(ada, [bob]))
})

const say = (text: string, key?: string, token = ada.token) =>
  call('POST', `/api/rooms/${room}/messages`, {
    token,
    body: { text },
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  })

describe('accounts', () => {
  test('register answers 201 and a session; the name is taken in any case of letters', async () => {
    const username = `T${freshName()}`
    const answer = await call('POST', '/api/auth/register', {
      body: { username, password: PASSWORD, displayName: 'Ada L.' },
    })
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      user: { id: expect.any(String), username, displayName: 'Ada L.', guest: false, admin: false },
      accessToken: expect.any(String),
      refreshToken: expect.any(String),
      expiresIn: expect.any(Number),
    })
    const again = { username: username.toLowerCase(), password: PASSWORD }
    expectProblem(await call('POST', '/api/auth/register', { body: again }), 'account.name_taken')
    expectProblem(await call('POST', '/api/auth/guest', { body: { username } }), 'account.name_taken')
  })

  test('login; a wrong name and a wrong password are told apart by nothing', async () => {
    const username = freshName()
    await call('POST', '/api/auth/register', { body: { username, password: PASSWORD } })
    const answer = await call('POST', '/api/auth/login', {
      body: { username: username.toUpperCase(), password: PASSWORD },
    })
    expect(answer.status).toBe(200)
    expect(answer.body.user.username).toBe(username)
    const wrong = await call('POST', '/api/auth/login', { body: { username, password: 'wrong horse' } })
    const nobody = await call('POST', '/api/auth/login', {
      body: { username: freshName(), password: PASSWORD },
    })
    expectProblem(wrong, 'auth.wrong_credentials')
    expect(nobody.text).toBe(wrong.text)
  })

  test('refresh gives the next pair; an old token used again ends the family', async () => {
    const { refreshToken } = await registered()
    const second = await call('POST', '/api/auth/refresh', { body: { refreshToken } })
    expect(second.status).toBe(200)
    expect(second.body.refreshToken).not.toBe(refreshToken)
    expectProblem(await call('POST', '/api/auth/refresh', { body: { refreshToken } }), 'auth.refresh_reused')
    const body = { refreshToken: second.body.refreshToken }
    expect((await call('POST', '/api/auth/refresh', { body })).status).toBe(401)
  })

  test('an exchange repeated under the same key is no reuse: the answer was lost', async () => {
    const { refreshToken } = await registered()
    const headers = { 'idempotency-key': randomUUID() }
    const first = await call('POST', '/api/auth/refresh', { body: { refreshToken }, headers })
    const again = await call('POST', '/api/auth/refresh', { body: { refreshToken }, headers })
    expect([first.status, again.status]).toEqual([200, 200])
    const next = { refreshToken: again.body.refreshToken }
    expect((await call('POST', '/api/auth/refresh', { body: next })).status).toBe(200)
  })

  test('me, and logout, after which the refresh token is worth nothing', async () => {
    const { token, refreshToken, user } = await registered()
    expect((await call('GET', '/api/auth/me', { token })).body).toEqual({ user })
    expect((await call('POST', '/api/auth/logout', { token, body: { refreshToken } })).status).toBe(204)
    expect((await call('POST', '/api/auth/refresh', { body: { refreshToken } })).status).toBe(401)
  })

  test('without a token, or with junk for one', async () => {
    expectProblem(await call('GET', '/api/auth/me'), 'auth.required')
    expectProblem(await call('GET', '/api/rooms', { token: 'junk' }), 'auth.invalid_token')
    expectProblem(await call('POST', '/api/rooms', { body: { name: 'x' } }), 'auth.required')
    const unsigned = `${ada.token.split('.').slice(0, 2).join('.')}.`
    expectProblem(await call('GET', '/api/auth/me', { token: unsigned }), 'auth.invalid_token')
  })
})

describe('writes', () => {
  test('a message answers 201 with the message; a repetition the same status and body; and it is there once', async () => {
    const key = randomUUID()
    const first = await say('hello', key)
    expect(first.status).toBe(201)
    expect(first.body).toEqual({
      message: {
        id: expect.any(String),
        room,
        seq: expect.any(Number),
        messageNo: expect.any(Number),
        author: ada.user.id,
        text: 'hello',
        time: expect.any(String),
      },
    })
    expect(first.headers.get('idempotency-key')).toBe(key)
    const again = await say('hello', key)
    expect([again.status, again.text]).toEqual([first.status, first.text])
    const { body } = await call('GET', `/api/rooms/${room}/messages?after=${first.body.message.seq - 1}`, {
      token: bob.token,
    })
    expect(body.items).toEqual([first.body.message])
  })

  test('the same key with another body, or in another room, is refused', async () => {
    const key = randomUUID()
    await say('one', key)
    expectProblem(await say('two', key), 'command.id_reused')
    const other = idOf(await roomOf(ada))
    const headers = { 'idempotency-key': key }
    const answer = await call('POST', `/api/rooms/${other}/messages`, {
      token: ada.token,
      body: { text: 'one' },
      headers,
    })
    expectProblem(answer, 'command.id_reused')
  })

  test('a room: made, the same one under the same key, renamed, and read', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const body = { name: 'Kitchen', topic: 'Cake', visibility: 'private' }
    const made = await call('POST', '/api/rooms', { token: ada.token, body, headers })
    expect(made.status).toBe(201)
    expect(made.body.room).toMatchObject({ id: expect.any(String), ...body })
    const again = await call('POST', '/api/rooms', { token: ada.token, body, headers })
    expect([again.status, again.text]).toEqual([made.status, made.text])
    const path = `/api/rooms/${made.body.room.id}`
    const renamed = await call('PATCH', path, { token: ada.token, body: { name: 'Parlour' } })
    expect([renamed.status, renamed.body.room.name]).toEqual([200, 'Parlour'])
    const { room: read } = (await call('GET', path, { token: ada.token })).body
    expect(read).toMatchObject({
      name: 'Parlour',
      topic: 'Cake',
      visibility: 'private',
      memberCount: 1,
      member: true,
    })
  })

  test('join and leave', async () => {
    const id = idOf(await roomOf(ada))
    const members = async () =>
      (await call('GET', `/api/rooms/${id}/members`, { token: ada.token })).body.items.map(
        (member: { user: { id: string } }) => member.user.id,
      )
    expect((await call('POST', `/api/rooms/${id}/join`, { token: bob.token })).status).toBe(200)
    expect((await call('POST', `/api/rooms/${id}/join`, { token: bob.token })).status).toBe(200)
    expect((await members()).toSorted()).toEqual([ada.user.id, bob.user.id].toSorted())
    expect((await call('POST', `/api/rooms/${id}/leave`, { token: bob.token })).status).toBe(200)
    expect(await members()).toEqual([ada.user.id])
  })

  test('what cannot be accepted', async () => {
    expectProblem(await say('  '), 'command.invalid')
    expectProblem(await say('x', 'not-a-uuid'), 'request.invalid')
    expectProblem(
      await call('POST', '/api/rooms/nowhere/messages', { token: ada.token, body: { text: 'x' } }),
      'room.not_found',
    )
    const secret = idOf(await roomOf(bob, [], { visibility: 'private' }))
    expectProblem(await call('POST', `/api/rooms/${secret}/join`, { token: ada.token }), 'room.not_found')
    const open = idOf(await roomOf(bob))
    const outside = await call('POST', `/api/rooms/${open}/messages`, {
      token: ada.token,
      body: { text: 'x' },
    })
    expectProblem(outside, 'room.not_a_member')
    const { token } = await guest()
    expectProblem(await call('POST', '/api/rooms', { token, body: { name: 'x' } }), 'guest.not_allowed')
  })

  test('what is no request of this API', async () => {
    const { token } = ada
    const path = `/api/rooms/${room}/messages`
    expectProblem(
      await call('POST', path, { token, body: '{', headers: { 'content-type': 'application/json' } }),
      'request.invalid',
    )
    expectProblem(
      await call('POST', path, { token, body: 'text=x', headers: { 'content-type': 'text/plain' } }),
      'request.unsupported_media_type',
    )
    // Also while most of it is still to be sent.
    for (const length of [70_000, 5_000_000])
      expectProblem(
        await call('POST', path, { token, body: { text: 'x'.repeat(length) } }),
        'request.too_large',
      )
    expectProblem(await call('GET', '/api/nothing/here', { token }), 'request.not_found')
  })
})

describe('reads', () => {
  test('messages ascend; before and after are exclusive; limit; head', async () => {
    const seqs: number[] = []
    for (const text of ['1', '2', '3', '4', '5']) seqs.push((await say(text)).body.message.seq)
    const page = async (query: string) => {
      const { body } = await call('GET', `/api/rooms/${room}/messages?${query}`, { token: bob.token })
      return { seqs: body.items.map((m: { seq: number }) => m.seq), head: body.head }
    }
    const head = seqs[4]
    expect(await page(`after=${seqs[0]}&limit=3`)).toEqual({ seqs: seqs.slice(1, 4), head })
    expect(await page(`before=${seqs[4]}&limit=3`)).toEqual({ seqs: seqs.slice(1, 4), head })
    expect(await page(`after=${seqs[0]}&before=${seqs[3]}`)).toEqual({ seqs: seqs.slice(1, 3), head })
    expect(await page('limit=2')).toEqual({ seqs: seqs.slice(3), head })
    for (const query of ['limit=0', 'limit=201', 'before=x', 'after=-1']) {
      expectProblem(
        await call('GET', `/api/rooms/${room}/messages?${query}`, { token: bob.token }),
        'request.invalid',
      )
    }
  })

  test('events: all of them, contiguous, page by page', async () => {
    const seqs: number[] = []
    for (let after: number | undefined = 0; after !== undefined; ) {
      const { body } = await call('GET', `/api/rooms/${room}/events?after=${after}&limit=3`, {
        token: bob.token,
      })
      seqs.push(...body.items.map((e: { seq: number }) => e.seq))
      after = body.next
      if (after === undefined) expect(seqs.at(-1)).toBe(body.head)
    }
    expect(seqs).toEqual(seqs.map((_, index) => index + 1))
  })

  test('rooms: mine, and the public ones; those of others do not exist', async () => {
    const secret = idOf(await roomOf(bob, [], { visibility: 'private' }))
    const ids = async (scope: string, token: string) => {
      const found: string[] = []
      for (let after = ''; ; ) {
        const { body } = await call(
          'GET',
          `/api/rooms?scope=${scope}&limit=100${after && `&after=${after}`}`,
          { token },
        )
        found.push(...body.items.map((r: { id: string }) => r.id))
        if (body.next === undefined) return found
        after = body.next
      }
    }
    expect(await ids('mine', bob.token)).toEqual(expect.arrayContaining([room, secret]))
    expect(await ids('public', ada.token)).not.toContain(secret)
    const [hidden, none] = await Promise.all([
      call('GET', `/api/rooms/${secret}`, { token: ada.token }),
      call('GET', '/api/rooms/nowhere', { token: ada.token }),
    ])
    expectProblem(hidden, 'room.not_found')
    expect(hidden.text).toBe(none.text)
  })

  test('who is not a member reads no history of a public room, but its name and size', async () => {
    const open = idOf(await roomOf(bob))
    const { body } = await call('GET', `/api/rooms/${open}`, { token: ada.token })
    expect(body.room).toMatchObject({ id: open, member: false, memberCount: 1 })
    expect(body.room.head).toBeUndefined()
    for (const what of ['messages', 'events', 'members']) {
      expectProblem(
        await call('GET', `/api/rooms/${open}/${what}`, { token: ada.token }),
        'room.not_a_member',
      )
    }
  })

  test('users by id', async () => {
    const unknown = randomUUID()
    const { body } = await call('GET', `/api/users?ids=${ada.user.id},${bob.user.id},${unknown}`, {
      token: ada.token,
    })
    expect(body.items).toHaveLength(2)
    expect(body.items).toEqual(expect.arrayContaining([ada.user, bob.user]))
  })
})

describe('outcomes', () => {
  const state = async (id: string, token = ada.token) =>
    (await call('GET', `/api/commands/${id}`, { token })).body

  test('accepted, rejected, unknown; and nobody sees those of others', async () => {
    const [yes, no] = [randomUUID(), randomUUID()]
    const { seq } = (await say('x', yes)).body.message
    await call('POST', '/api/rooms/nowhere/messages', {
      token: ada.token,
      body: { text: 'x' },
      headers: { 'idempotency-key': no },
    })
    expect(await state(yes)).toEqual({ state: 'accepted', subject: `room:${room}`, seq })
    expect(await state(no)).toMatchObject({ state: 'rejected', code: 'room.not_found' })
    expect(await state(randomUUID())).toEqual({ state: 'unknown' })
    expect(await state(yes, bob.token)).toEqual({ state: 'unknown' })
  })

  test('what has no outcome can be cancelled, and is then never done; what has one cannot', async () => {
    const [never, done] = [randomUUID(), randomUUID()]
    const cancelled = await call('DELETE', `/api/commands/${never}`, { token: ada.token })
    expect([cancelled.status, cancelled.body]).toEqual([200, expect.objectContaining({ state: 'cancelled' })])
    expectProblem(await say('too late', never), 'command.cancelled')
    await say('done', done)
    expect((await call('DELETE', `/api/commands/${done}`, { token: ada.token })).body.state).toBe('accepted')
  })
})

test('the same command id 100 times at once, over several sockets and HTTP: one message, one answer', async () => {
  const id = randomUUID()
  const subject = `room:${room}`
  const wires = await Promise.all(Array.from({ length: 5 }, () => enter(ada.token, { follow: [subject] })))
  const sockets = wires.flatMap((wire) =>
    Array.from({ length: 10 }, async (_, nth) => {
      wire.send(sendFrame(id, subject, 'only once'))
      return wire.answer(id, nth)
    }),
  )
  const writes = Array.from({ length: 50 }, () => say('only once', id))
  const [answers, bodies] = await Promise.all([Promise.all(sockets), Promise.all(writes)])
  const { seq } = bodies[0]!.body.message
  expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
    new Set([JSON.stringify({ type: 'ack', id, subject, seq })]),
  )
  expect(new Set(bodies.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
  const { body } = await call('GET', `/api/rooms/${room}/events?after=${seq - 1}`, { token: bob.token })
  expect(body.items.map((e: { causationid: string }) => e.causationid)).toEqual([id])
  const next = await acked(wires[0]!, sendFrame(randomUUID(), subject, 'next'))
  expect(next).toBe(seq + 1)
  for (const wire of wires) wire.close()
})
