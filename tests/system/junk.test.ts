import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { deadLetterHeaders, dlqOf, isErrorCode, topics } from '@klatsch/contracts'
import { type IncomingRecord, kafkaEventBus, readRange } from '@klatsch/event-bus'
import fc from 'fast-check'
import { v7 } from 'uuid'
import { beforeAll, expect, inject, test } from 'vitest'
import { call, idOf, registered, roomOf, type TestPerson } from './people.ts'
import { acked, enter, sendFrame, type Wire } from './wire.ts'

const FRAMES = 4_000
const BODIES = 1_000
/** What went wrong once goes wrong again with the seed that the failure names. */
const SEED = Date.now()

let ada: TestPerson
let room: string
beforeAll(async () => {
  ada = await registered()
  room = await roomOf(ada)
})

/** Strings that break things: controls, surrogates, names of what objects inherit, very long ones. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '\u0000',
    '\ud800',
    '__proto__',
    'constructor',
    'toString',
    '',
    ' ',
    '\u202e',
    '💥'.repeat(50),
    "'; --",
  ),
  fc.integer({ min: 1_000, max: 20_000 }).map((n) => 'x'.repeat(n)),
)
const anything = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<unknown> },
  { weight: 2, arbitrary: nasty },
  fc.double(),
  fc.constantFrom<unknown>(null, true, -0, 1e308, Number.MAX_SAFE_INTEGER + 2, [], {}, [[[[[[]]]]]]),
)

/** What a client may send, right in every field. */
function goodFrames(): fc.Arbitrary<Record<string, unknown>> {
  const subject = fc.constantFrom(room, 'room:global', ada.actor, 'room:nowhere')
  const cursor = fc.record({ seq: fc.nat(100), chain: fc.string({ maxLength: 64 }) })
  return fc.oneof(
    fc.record({
      type: fc.constant('command'),
      id: fc.constant(0).map(() => v7()),
      command: fc.constantFrom(
        'chat.message.send.v1',
        'chat.room.create.v1',
        'chat.room.rename.v1',
        'chat.room.join.v1',
        'chat.room.leave.v1',
        'chat.membership.add.v1',
      ),
      subject: subject.filter((s) => s !== room),
      data: fc.record({ text: nasty, name: nasty, topic: nasty, visibility: nasty }, { requiredKeys: [] }),
    }),
    fc.record({ type: fc.constant('follow'), subject, cursor }),
    fc.record({ type: fc.constant('unfollow'), subject }),
    fc.record({
      type: fc.constant('ping'),
      cursors: fc.dictionary(fc.oneof(subject, nasty), cursor, { maxKeys: 5 }),
    }),
    fc.record({ type: fc.constant('hello'), token: nasty }),
    fc.record({ type: nasty, rest: anything }),
  )
}

/** A value with some of its parts taken away, replaced or doubled, at any depth. */
function mutated(good: fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<unknown> {
  const change = fc.record({
    at: fc.nat(),
    how: fc.constantFrom('drop', 'replace', 'add', 'inside'),
    by: anything,
    name: nasty,
  })
  return fc.tuple(good, fc.array(change, { maxLength: 3 })).map(([value, changes]) => {
    const copy = structuredClone(value)
    for (const { at, how, name, ...change } of changes) {
      const by = structuredClone(change.by)
      const keys = Object.keys(copy)
      const key = keys[at % Math.max(1, keys.length)] ?? 'type'
      const inside = copy[key]
      if (how === 'drop') delete copy[key]
      else if (how === 'replace') copy[key] = by
      else if (how === 'add')
        Object.defineProperty(copy, name, { value: by, enumerable: true, configurable: true, writable: true })
      else if (typeof inside === 'object' && inside !== null)
        (inside as Record<string, unknown>)[name || 'x'] = by
    }
    return copy
  })
}

const frameTexts = (): fc.Arbitrary<string | Buffer> =>
  fc.oneof(
    { weight: 12, arbitrary: mutated(goodFrames()).map((frame) => JSON.stringify(frame)) },
    { weight: 3, arbitrary: anything.map((value) => JSON.stringify(value) ?? '') },
    { weight: 1, arbitrary: nasty },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 1, max: 9_000 })
        .map((depth) => `{"type":"ping","x":${'['.repeat(depth)}${']'.repeat(depth)}}`),
    },
  )

const CLOSES = new Set<number>([1009, 4400, 4401, 4429])

test(`${FRAMES} frames of junk: each is answered by a code or a close of the protocol, and nothing falls over`, async () => {
  const people = await Promise.all(Array.from({ length: 8 }, () => registered()))
  const junk = fc.sample(frameTexts(), { numRuns: FRAMES, seed: SEED })
  const closes = new Map<number, number>()

  async function worker(person: TestPerson, mine: readonly (string | Buffer)[]): Promise<void> {
    let wire: Wire | undefined
    let sent = 0
    for (const [index, frame] of mine.entries()) {
      // Fewer frames on one socket than it may send in one go, with a ping for each.
      if (!wire || sent >= 300) {
        wire?.close()
        wire = await enter(person.token)
        sent = 0
      }
      wire.raw(frame)
      sent += 1
      const closed = await Promise.race([wire.closed, wire.roundTrip().catch(() => wire!.closed)])
      if (closed) {
        expect(
          CLOSES,
          `seed ${SEED}: ${closed.code} ${closed.reason} after ${String(frame).slice(0, 300)}`,
        ).toContain(closed.code)
        closes.set(closed.code, (closes.get(closed.code) ?? 0) + 1)
      }
      for (const received of wire.received.splice(0)) {
        if (received.type !== 'error') continue
        const { code } = received as { code: string }
        const about = `seed ${SEED}: ${JSON.stringify(received)} after ${String(frame).slice(0, 300)} (${index})`
        expect(isErrorCode(code), about).toBe(true)
        expect(['server.internal', 'command.held'], about).not.toContain(code)
      }
      if (closed) wire = undefined
    }
    wire?.close()
  }

  await Promise.all(
    people.map((person, n) =>
      worker(
        person,
        junk.filter((_, index) => index % people.length === n),
      ),
    ),
  )
  expect(closes.get(4400)).toBeGreaterThan(0)
  await expectAllWell()
}, 240_000)

test(`${BODIES} bodies of junk over HTTP: no 500, each problem has a code`, async () => {
  const person = await registered()
  const own = idOf(await roomOf(person))
  const paths = [
    ['POST', '/api/rooms'],
    ['PATCH', `/api/rooms/${own}`],
    ['POST', `/api/rooms/${own}/messages`],
    ['POST', `/api/rooms/${own}/join`],
    ['POST', '/api/auth/register'],
    ['POST', '/api/auth/login'],
    ['POST', '/api/auth/guest'],
    ['POST', '/api/auth/refresh'],
    ['GET', `/api/rooms/${own}/messages`],
    ['GET', '/api/users'],
    ['GET', '/api/rooms/'],
    ['DELETE', '/api/commands/'],
  ] as const
  const body = mutated(
    fc.record(
      {
        text: nasty,
        name: nasty,
        topic: nasty,
        username: nasty,
        password: nasty,
        displayName: nasty,
        refreshToken: nasty,
        visibility: nasty,
      },
      { requiredKeys: [] },
    ),
  )
  const request = fc.record({
    path: fc.constantFrom(...paths),
    body: fc.oneof(
      { weight: 6, arbitrary: body.map((b) => JSON.stringify(b)) },
      { weight: 1, arbitrary: nasty },
    ),
    tail: fc.oneof(
      fc.constant(''),
      nasty.map(encoded),
      fc.constantFrom('%zz', '%', '%C0%80', '/..%2f', '?', '//'),
    ),
    query: fc.oneof(fc.constant(''), nasty),
    key: fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 40 }).map((s) => s.trim())),
    token: fc.oneof({ weight: 4, arbitrary: fc.constant(person.token) }, fc.constant('junk')),
  })
  const requests = fc.sample(request, { numRuns: BODIES, seed: SEED })

  async function worker(n: number): Promise<void> {
    for (let index = n; index < requests.length; index += 8) {
      const { path, body, tail, query, key, token } = requests[index]!
      const [method, base] = path
      const address = `${base}${tail}${query ? `?limit=${encoded(query)}&ids=${encoded(query)}&after=${encoded(query)}` : ''}`
      const answer = await call(method, address.slice(0, 8_000), {
        token,
        headers: { 'content-type': 'application/json', ...(key ? { 'idempotency-key': key } : {}) },
        ...(method === 'GET' ? {} : { body }),
      })
      const about = `seed ${SEED}: ${answer.status} ${answer.text.slice(0, 300)} to ${method} ${address.slice(0, 200)} ${body.slice(0, 300)}`
      expect(answer.status, about).toBeLessThan(500)
      if (answer.status >= 400) expect(isErrorCode(answer.body?.code), about).toBe(true)
    }
  }

  await Promise.all(Array.from({ length: 8 }, (_, n) => worker(n)))
  await expectAllWell()
}, 240_000)

/** A part of an address; what has no UTF-8 form stays out of it. */
const encoded = (text: string): string => encodeURIComponent(text.slice(0, 300).toWellFormed())

test('garbage on chat.commands goes to the dead letters with its reason; its neighbours are unharmed', async () => {
  const { brokers } = inject('stack')
  const settings = { brokers: brokers.split(','), clientId: 'junk-test', log: silent }
  const bus = kafkaEventBus(settings)
  const topic = topics.commands.name
  const id = v7()
  const envelope = {
    specversion: '1.0',
    id,
    source: 'junk',
    type: 'chat.message.send.v1',
    subject: room,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    actor: ada.actor,
    data: { text: 'x' },
  }
  const garbage: (string | Buffer)[] = [
    '',
    'hello',
    '{',
    'null',
    '[]',
    '{"specversion":"1.0"}',
    randomBytes(500),
    Buffer.from([0xc3, 0x28, 0xff]),
    '['.repeat(20_000),
    'x'.repeat(300_000),
    JSON.stringify({ ...envelope, id: 'not-a-uuid' }),
    JSON.stringify({ ...envelope, actor: 'nobody' }),
    JSON.stringify({ ...envelope, subject: 'elsewhere' }),
    JSON.stringify({ ...envelope, id: randomUUID(), time: 'yesterday' }),
  ]
  const wire = await enter(ada.token)
  try {
    const publisher = await bus.publisher()
    const before = await acked(wire, sendFrame(v7(), room, 'before'))
    await publisher.publish(garbage.map((value) => ({ topic, key: room, value, headers: {} })))
    const after = await acked(wire, sendFrame(v7(), room, 'after'))
    expect(after).toBe(before + 1)

    const wanted = new Set(garbage.map(hashOf))
    const letters = new Map<string, IncomingRecord>()
    await expect
      .poll(
        async () => {
          await readRange(settings, { topic: dlqOf(topic), from: { kind: 'begin' } }, (record) => {
            const hash = hashOf(record.value)
            if (wanted.has(hash)) letters.set(hash, record)
          })
          return letters.size
        },
        { timeout: 30_000, interval: 500 },
      )
      .toBe(garbage.length)
    for (const letter of letters.values()) {
      expect(letter.key).toBe(room)
      expect(letter.headers).toMatchObject({
        [deadLetterHeaders.topic]: topic,
        [deadLetterHeaders.group]: 'chat',
        [deadLetterHeaders.offset]: expect.stringMatching(/^\d+$/),
        [deadLetterHeaders.partition]: expect.stringMatching(/^\d+$/),
        [deadLetterHeaders.error]: expect.stringMatching(/\S/),
        [deadLetterHeaders.attempts]: expect.stringMatching(/^\d+$/),
        [deadLetterHeaders.firstFailedAt]: expect.stringMatching(/Z$/),
        [deadLetterHeaders.lastFailedAt]: expect.stringMatching(/Z$/),
      })
    }
  } finally {
    wire.close()
    await bus.close()
  }
  await expectAllWell()
}, 120_000)

const hashOf = (value: string | Buffer): string => createHash('sha256').update(value).digest('hex')

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Somebody else writes and reads as if nothing had been, and every part says that it is well. */
async function expectAllWell(): Promise<void> {
  const wire = await enter(ada.token)
  const seq = await acked(wire, sendFrame(v7(), room, 'still here'))
  await expect.poll(() => wire.events(room).some((e) => e.seq === seq)).toBe(true)
  wire.close()
  const health = await call('GET', '/health')
  expect(health.body, health.text).toMatchObject({ ok: true })
}
