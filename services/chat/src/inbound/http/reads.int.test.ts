import {
  emptyTip,
  eventsAnswerSchema,
  GLOBAL_ROOM,
  headsAnswerSchema,
  memberSchema,
  messageSchema,
  roomSchema,
  type Session,
  type StreamTip,
  streamEventSchema,
  streamId,
  streamsAnswerSchema,
} from '@klatsch/contracts'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as make from '../../../test/commands.ts'
import { faultsOf } from '../../../test/history.ts'
import { type TestServer, testServer } from '../../../test/http.ts'

let server: TestServer
let ada: Session
let bob: Session
let kitchen: make.TestCommand
let cellar: make.TestCommand
const actorOf = (session: Session) => `user:${session.user.id}`
const path = (room: make.TestCommand, rest = '') => `/api/rooms/${streamId(room.subject)}${rest}`

beforeAll(async () => {
  server = await testServer()
  ada = await server.person()
  bob = await server.person()
  kitchen = make.create(actorOf(ada))
  cellar = make.createPrivate(actorOf(ada))
  await server.feed(kitchen, cellar, make.join(GLOBAL_ROOM, actorOf(ada)))
  const texts = Array.from({ length: 7 }, (_, i) => make.send(kitchen.subject, `text ${i + 1}`, actorOf(ada)))
  await server.feed(...texts, make.send(cellar.subject, 'secret', actorOf(ada)))
})
afterAll(() => server?.end())

const asAda = (url: string) => server.get(url, ada.accessToken)
const asBob = (url: string) => server.get(url, bob.accessToken)

describe('[P3] who may read what', () => {
  const insides = ['/members', '/messages', '/events']
  test('members read all of their rooms', async () => {
    for (const room of [kitchen, cellar]) {
      for (const inside of ['', ...insides]) expect((await asAda(path(room, inside))).status).toBe(200)
    }
    const { room } = (await asAda(path(kitchen))).body
    expect(roomSchema.strict().parse(room)).toMatchObject({
      member: true,
      head: 9,
      lastMessageNo: 7,
      memberCount: 1,
    })
  })
  test('outsiders see of a public room its name, topic and size', async () => {
    const { room } = (await asBob(path(kitchen))).body
    expect(room).toEqual({
      id: streamId(kitchen.subject),
      name: 'Kitchen',
      topic: '',
      visibility: 'public',
      memberCount: 1,
      member: false,
    })
    for (const inside of insides) {
      const { status, body } = await asBob(path(kitchen, inside))
      expect([status, body.code]).toEqual([403, 'room.not_a_member'])
    }
  })
  test('a private room answers outsiders exactly as one that does not exist', async () => {
    for (const inside of ['', ...insides]) {
      const hidden = await asBob(path(cellar, inside))
      const missing = await asBob(`/api/rooms/${make.create('x').id}${inside}`)
      expect([hidden.status, hidden.text]).toEqual([404, missing.text])
      expect((await asBob(`/api/rooms/%00${inside}`)).text).toBe(missing.text)
    }
  })
  test('everything asks for a token', async () => {
    for (const url of [
      '/api/rooms',
      path(kitchen),
      ...insides.map((i) => path(kitchen, i)),
      '/api/users?ids=',
    ]) {
      expect((await server.get(url)).body.code).toBe('auth.required')
    }
    expect((await server.get(`/api/commands/${kitchen.id}`)).body.code).toBe('auth.required')
  })
})

describe('rooms', () => {
  test("are listed: one's own, and the public ones", async () => {
    const ids = async (who: typeof asAda, scope: string) =>
      (await who(`/api/rooms?scope=${scope}`)).body.items.map((room: { id: string }) => room.id).sort()
    const [k, c] = [streamId(kitchen.subject), streamId(cellar.subject)]
    expect(await ids(asAda, 'mine')).toEqual([k, c, 'global'].sort())
    expect(await ids(asAda, 'public')).toEqual([k, 'global'].sort())
    expect(await ids(asBob, 'mine')).toEqual(['global'])
    expect(await ids(asBob, 'public')).toEqual([k, 'global'].sort())
    for (const room of (await asBob('/api/rooms?scope=public')).body.items)
      expect(Object.hasOwn(room, 'head')).toBe(room.member)
  })
  test('come in pages', async () => {
    const seen: string[] = []
    for (let next: string | undefined = ''; next !== undefined; ) {
      const { body } = await asAda(`/api/rooms?limit=1${next ? `&after=${next}` : ''}`)
      seen.push(...body.items.map((room: { id: string }) => room.id))
      next = body.next
    }
    expect(seen).toEqual([...new Set(seen)])
    expect(seen).toHaveLength(3)
  })
  test('and their members, with names', async () => {
    const first = (await asAda('/api/rooms/global/members?limit=1')).body
    const second = (await asAda(`/api/rooms/global/members?limit=1&after=${first.next}`)).body
    expect(second.next).toBeUndefined()
    const members = z.array(memberSchema.strict()).parse([...first.items, ...second.items])
    expect(members.map(({ user }) => user.username).sort()).toEqual(
      [ada.user.username, bob.user.username].sort(),
    )
  })
})

describe('messages', () => {
  const texts = async (query: string) => {
    const { body } = await asAda(path(kitchen, `/messages${query}`))
    const items = z.array(messageSchema.strict()).parse(body.items)
    return { seqs: items.map(({ seq }) => seq), head: body.head, next: body.next }
  }
  test('are the latest ones without a position, and go back from there', async () => {
    expect(await texts('?limit=3')).toEqual({ seqs: [7, 8, 9], head: 9, next: 7 })
    expect(await texts('?limit=3&before=7')).toEqual({ seqs: [4, 5, 6], head: 9, next: 4 })
    expect(await texts('?limit=3&before=4')).toEqual({ seqs: [3], head: 9, next: undefined })
  })
  test('go on after a seq', async () => {
    expect(await texts('?limit=5&after=0')).toEqual({ seqs: [3, 4, 5, 6, 7], head: 9, next: 7 })
    expect(await texts('?limit=5&after=7')).toEqual({ seqs: [8, 9], head: 9, next: undefined })
    expect(await texts('?after=3&before=6')).toEqual({ seqs: [4, 5], head: 9, next: undefined })
  })
})

describe('events', () => {
  test('are the bytes on the log, and prove themselves', async () => {
    const all: unknown[] = []
    let after = 0
    for (;;) {
      const { body, text } = await asAda(path(kitchen, `/events?after=${after}&limit=4`))
      all.push(...body.items)
      const { rows } = await server.database
        .pool()
        .query('SELECT bytes FROM stream_events WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT 4', [
          kitchen.subject,
          after,
        ])
      for (const { bytes } of rows) expect(text).toContain(bytes)
      expect(body.head).toBe(9)
      if (body.next === undefined) break
      after = body.next
    }
    expect(faultsOf(z.array(streamEventSchema).parse(all))).toEqual([])
    expect(all).toHaveLength(9)
  })
  test('are none after the last one', async () => {
    for (const after of [9, 10, 1_000]) {
      expect((await asAda(path(kitchen, `/events?after=${after}`))).text).toBe('{"items":[],"head":9}')
    }
  })
  test('are for members only while they are, and while their session is open', async () => {
    const eve = await server.person()
    const hall = make.create(actorOf(await server.person()))
    const read = async () => {
      const { status, body } = await server.get(path(hall, '/events?limit=1'), eve.accessToken)
      return [status, body.code ?? `${body.items[0].seq} of ${body.head}`]
    }
    const steps = [
      hall,
      make.join(hall.subject, actorOf(eve)),
      make.leave(hall.subject, actorOf(eve)),
      make.join(hall.subject, actorOf(eve)),
    ] as const
    const seen: unknown[] = []
    for (const command of steps) {
      await server.feed(command)
      seen.push(await read())
    }
    expect(seen).toEqual([
      [403, 'room.not_a_member'],
      [200, '1 of 3'],
      [403, 'room.not_a_member'],
      [200, '1 of 5'],
    ])
    await server.post('/api/auth/logout', { refreshToken: eve.refreshToken })
    expect(await read()).toEqual([401, 'auth.session_ended'])
  })
})

test('users are known by their ids', async () => {
  const unknown = make.create('x').id
  const { body } = await asBob(`/api/users?ids=${ada.user.id},${unknown}`)
  expect(body).toEqual({ items: [ada.user] })
})

describe('commands', () => {
  test("have their outcome, and are their sender's alone", async () => {
    const state = (await asAda(`/api/commands/${kitchen.id}`)).body
    expect(state).toEqual({ state: 'accepted', subject: kitchen.subject, seq: 1 })
    expect((await asBob(`/api/commands/${kitchen.id}`)).body).toEqual({ state: 'unknown' })
  })
  test('are taken back while they have none', async () => {
    const late = make.send(kitchen.subject, 'never', actorOf(ada), { replyTo: 'gw' })
    const cancel = () => server.call('DELETE', `/api/commands/${late.id}`, { token: ada.accessToken })
    expect((await cancel()).body).toEqual({ state: 'cancelled', code: 'command.cancelled' })
    await server.feed(late)
    expect((await asAda(path(kitchen))).body.room.head).toBe(9)
    expect((await cancel()).body).toMatchObject({ state: 'cancelled' })
    const done = await server.call('DELETE', `/api/commands/${kitchen.id}`, { token: ada.accessToken })
    expect(done.body).toMatchObject({ state: 'accepted' })
  })
})

describe('what gateways ask', () => {
  test('is answered to those with the internal token only', async () => {
    for (const [what, body] of [
      ['streams', { questions: [{ user: ada.user.id, follow: 'all' }] }],
      ['heads', { subjects: [] }],
      ['events', { pages: [{ subject: kitchen.subject, after: 0, limit: 1 }] }],
    ] as const) {
      const url = `/internal/${what}`
      expect((await server.post(url, body)).body.code).toBe('auth.required')
      const asPerson = await server.call('POST', url, { body, token: ada.accessToken })
      expect(asPerson.body.code).toBe('auth.invalid_token')
      expect((await server.internal(url, body)).status).toBe(200)
    }
  })
  /** The streams that each question was answered with. */
  const answersOf = (body: unknown) => {
    const { streams, answers } = streamsAnswerSchema.parse(body)
    return answers.map((answer) =>
      (answer === 'ended' ? [] : answer).map(([index, first]) => {
        const { subject, ...head } = streams[index]!
        return { subject, first, head }
      }),
    )
  }
  test('streams: of many people at once, each only what they may read, and each stream said once', async () => {
    const questions = [
      { user: ada.user.id, follow: 'all' },
      { user: bob.user.id, follow: 'all' },
      { user: bob.user.id, follow: [cellar.subject, GLOBAL_ROOM, GLOBAL_ROOM] },
      { user: ada.user.id, follow: [cellar.subject, actorOf(bob)] },
      { user: ada.user.id, follow: [] },
    ]
    const { body } = await server.internal('/internal/streams', { questions })
    const subjects = answersOf(body).map((answer) => answer.map(({ subject }) => subject))
    expect(subjects.map((each) => each.toSorted())).toEqual([
      [GLOBAL_ROOM, kitchen.subject, cellar.subject, actorOf(ada)].sort(),
      [GLOBAL_ROOM, actorOf(bob)].sort(),
      [GLOBAL_ROOM],
      [cellar.subject],
      [],
    ])
    expect([subjects[0]![0], subjects[1]![0]]).toEqual([actorOf(ada), actorOf(bob)])
    const named = body.streams.map(({ subject }: { subject: string }) => subject)
    expect(named).toEqual([...new Set(named)])
  })
  test('streams: the rooms one is in, and one’s own', async () => {
    const of = async (user: string, follow: unknown) => {
      const { body } = await server.internal('/internal/streams', { questions: [{ user, follow }] })
      return answersOf(body)[0]!
    }
    const own = actorOf(ada)
    const all = await of(ada.user.id, 'all')
    expect(all.map(({ subject }) => subject).sort()).toEqual(
      [GLOBAL_ROOM, kitchen.subject, cellar.subject, own].sort(),
    )
    expect(all.find(({ subject }) => subject === own)).toMatchObject({ first: 1, head: { seq: 3 } })
    const some = [kitchen.subject, cellar.subject, GLOBAL_ROOM, own, 'room:none']
    expect((await of(bob.user.id, some)).map(({ subject }) => subject)).toEqual([GLOBAL_ROOM])
    const stranger = make.create('x').id
    expect(await of(stranger, 'all')).toEqual([{ subject: `user:${stranger}`, first: 1, head: emptyTip }])
  })
  test('heads and events', async () => {
    const heads = await server.internal('/internal/heads', { subjects: [kitchen.subject, 'room:none'] })
    const head = headsAnswerSchema.parse(heads.body).heads[kitchen.subject]
    expect(Object.keys(heads.body.heads)).toEqual([kitchen.subject])
    const events = await server.internal('/internal/events', {
      pages: [
        { subject: kitchen.subject, after: 7, limit: 100 },
        { subject: 'room:none', after: 0, limit: 1 },
        { subject: kitchen.subject, after: 9, limit: 5 },
        { subject: kitchen.subject, after: 2, limit: 3 },
      ],
    })
    const { pages } = eventsAnswerSchema.parse(events.body)
    expect(pages.map(({ items }) => items.map((item) => JSON.parse(item).seq))).toEqual([
      [8, 9],
      [],
      [],
      [3, 4, 5],
    ])
    expect(pages.map((page) => page.head)).toEqual([head, emptyTip, head, head])
    expect(head).toMatchObject({ seq: 9, messageNo: 7, time: JSON.parse(pages[0]!.items.at(-1)!).time })
  })
  test('twenty thousand at once are few', async () => {
    const subjects = Array.from({ length: 20_000 }, (_, i) => `room:${make.create('x').id.slice(0, 30)}${i}`)
    expect((await server.internal('/internal/heads', { subjects })).body).toEqual({ heads: {} })
  })
  test('large events come in smaller pages', async () => {
    const room = make.create(actorOf(ada))
    const large = 'ÿ'.repeat(8_000)
    await server.feed(
      room,
      ...Array.from({ length: 500 }, () => make.send(room.subject, large, actorOf(ada))),
    )
    await server.feed(...Array.from({ length: 300 }, () => make.send(room.subject, large, actorOf(ada))))
    const pagesAfter = async (...afters: number[]): Promise<{ items: string[]; head: StreamTip }[]> => {
      const pages = afters.map((after) => ({ subject: room.subject, after, limit: 1_000 }))
      return (await server.internal('/internal/events', { pages })).body.pages
    }
    const seen: number[] = []
    for (let after = 0; after < 802; after = seen.at(-1)!) {
      const [page] = await pagesAfter(after)
      expect(page!.head.seq).toBe(802)
      expect(page!.items.length).toBeLessThan(300)
      seen.push(...page!.items.map((item) => JSON.parse(item).seq))
    }
    expect(seen).toEqual(Array.from({ length: 802 }, (_, i) => i + 1))
    // Many pages share what one answer may hold.
    const many = await pagesAfter(...Array.from({ length: 64 }, (_, i) => i * 10))
    expect(many.every(({ items }) => items.length > 0)).toBe(true)
    expect(many.flatMap(({ items }) => items).join('').length).toBeLessThan(5_000_000)
  })
})

test('junk is refused with a code, and never breaks anything', async () => {
  const paths = [
    '/api/auth/register',
    '/api/auth/login',
    '/api/auth/guest',
    '/api/auth/refresh',
    '/api/auth/logout',
    '/internal/streams',
    '/internal/heads',
    '/internal/events',
  ]
  const field = fc.constantFrom(
    'username',
    'password',
    'refreshToken',
    'user',
    'follow',
    'subject',
    'after',
    'cursors',
  )
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  const value = fc.oneof(text, fc.integer(), fc.double(), fc.constant(null), fc.array(text, { maxLength: 3 }))
  const body = fc.oneof(
    fc.dictionary(field, value).map((object) => JSON.stringify(object)),
    fc.json(),
    text,
    fc.constant('['.repeat(5_000)),
  )
  const query = fc.constantFrom('after', 'before', 'limit', 'ids', 'scope')
  const internal = fc.boolean()
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), body, internal, async (url, given, trusted) => {
      const answer =
        trusted && url.startsWith('/internal')
          ? await server.call('POST', url, { body: given || 'x', token: 'internal-token-of-the-tests' })
          : await server.post(url, given || 'x')
      expect(answer.status).toBeLessThan(500)
      if (answer.status >= 400) expect(answer.body.code).toMatch(/^[a-z]+\.[a-z_]+$/)
    }),
    { numRuns: 400 },
  )
  const places = [
    '/api/rooms',
    path(kitchen),
    '/api/rooms/global/messages',
    '/api/rooms/global/members',
    '/api/users',
  ]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), query, text, text, async (url, name, given, id) => {
      const asked = `${url}?${name}=${encodeURIComponent(given.toWellFormed())}`
      const inPath = `/api/rooms/${encodeURIComponent(id.toWellFormed())}/messages`
      for (const one of [asked, inPath, `/api/commands/${encodeURIComponent(id.toWellFormed())}`]) {
        const answer = await asAda(one)
        expect(answer.status).toBeLessThan(500)
        if (answer.status >= 400) expect(answer.body.code).toMatch(/^[a-z]+\.[a-z_]+$/)
      }
    }),
    { numRuns: 300 },
  )
  expect(server.errors).toEqual([])
})
