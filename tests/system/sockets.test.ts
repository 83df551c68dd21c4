import { chainOf, dataHash, limits } from '@klatsch/contracts'
import { v7 } from 'uuid'
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { call, guest, idOf, registered, roomOf, type TestPerson } from './people.ts'
import { acked, closeWires, dial, enter, sendFrame } from './wire.ts'

const GLOBAL = 'room:global'
afterEach(closeWires)

let ada: TestPerson
let bob: TestPerson
let room: string
beforeAll(async () => {
  ;[ada, bob] = await Promise.all([registered(), registered()])
  room = await roomOf(ada, [bob])
})

describe('greeting', () => {
  test('welcome is the first frame: who one is, the streams, the limits', async () => {
    const wire = await enter(ada.token)
    expect(wire.received[0]).toBe(wire.welcome)
    expect(wire.welcome).toMatchObject({
      session: expect.any(String),
      user: { id: ada.user.id, username: ada.user.username, guest: false },
      limits: { frameBytes: limits.frameBytes, messageChars: limits.messageChars, pingMs: limits.pingMs },
    })
    expect(wire.welcome.streams).toContainEqual({ subject: room, first: 1, head: expect.any(Number) })
    expect(wire.welcome.streams.map(({ subject }) => subject)).toContain(ada.actor)
  })

  test('without a cursor one starts at the head, and is live', async () => {
    const wire = await enter(ada.token, { follow: [room] })
    const { head } = wire.welcome.streams.find(({ subject }) => subject === room)!
    const live = await wire.first((f) => f.type === 'live' && f.subject === room)
    expect(live).toEqual({ type: 'live', subject: room, head })
    expect(wire.events(room)).toEqual([])
  })

  test('a frame before hello is unexpected, and the socket stays open', async () => {
    const wire = await dial()
    wire.send({ type: 'ping' })
    expect(await wire.type('error')).toMatchObject({ code: 'frame.unexpected', retryable: false })
    wire.send({ type: 'hello', token: ada.token })
    await wire.type('welcome')
  })

  test('a second hello is unexpected', async () => {
    const wire = await enter(ada.token)
    wire.send({ type: 'hello', token: ada.token })
    expect(await wire.type('error')).toMatchObject({ code: 'frame.unexpected' })
  })

  test('no valid token: told why, and closed with 4401', async () => {
    const wire = await dial()
    wire.send({ type: 'hello', token: `${ada.token.slice(0, -6)}AAAAAA` })
    expect(await wire.type('error')).toMatchObject({ code: 'auth.invalid_token' })
    expect(await wire.closed).toMatchObject({ code: 4401 })
  })

  test('no hello within 10 s: closed with 4408', async () => {
    const wire = await dial()
    const before = performance.now()
    expect(await wire.closed).toMatchObject({ code: 4408 })
    expect(performance.now() - before).toBeGreaterThan(9_500)
  })

  test('a page from elsewhere may not connect; the page served here may', async () => {
    await expect(dial({ origin: 'https://evil.example' })).rejects.toThrow('403')
    await dial({ origin: inject('stack').baseUrl })
  })

  test('what one may not read is left out of the welcome and answered like what does not exist', async () => {
    const secret = await roomOf(bob, [], { visibility: 'private' })
    const wire = await enter(ada.token, { follow: [room, secret, 'room:nowhere'] })
    expect(wire.welcome.streams.map(({ subject }) => subject).sort()).toEqual([room, ada.actor].sort())
    for (const subject of [secret, 'room:nowhere']) {
      expect(await wire.first((f) => f.type === 'unfollowed' && f.subject === subject)).toMatchObject({
        code: 'room.not_found',
      })
    }
  })

  test('a guest is in the global room', async () => {
    const { token } = await guest()
    await expect
      .poll(async () => (await enter(token)).welcome.streams.map(({ subject }) => subject), {
        timeout: 10_000,
      })
      .toContain(GLOBAL)
  })
})

describe('frames', () => {
  test('an unknown frame gets frame.unknown, and the socket stays open', async () => {
    const wire = await enter(ada.token)
    wire.send({ type: 'fireworks', colour: 'green' })
    expect(await wire.type('error')).toMatchObject({ code: 'frame.unknown', retryable: false })
    await wire.roundTrip()
  })

  test('a frame of the wrong form gets frame.malformed with its id, and the socket stays open', async () => {
    const wire = await enter(ada.token)
    wire.send({ type: 'command', id: 'not-a-uuid', command: 'chat.message.send.v1', subject: room, data: {} })
    expect(await wire.type('error')).toMatchObject({ code: 'frame.malformed', id: 'not-a-uuid' })
    await wire.roundTrip()
  })

  test('fields nobody knows are ignored in frames', async () => {
    const wire = await enter(ada.token)
    await acked(wire, { ...sendFrame(v7(), room, 'with more'), later: true })
  })

  for (const [what, data] of [
    ['text that is no JSON', 'hello'],
    ['JSON that is no frame', '[1,2,3]'],
    ['bytes', Buffer.from([1, 2, 3])],
  ] as const) {
    test(`${what}: closed with 4400`, async () => {
      const wire = await enter(ada.token)
      wire.raw(data)
      expect(await wire.closed).toMatchObject({ code: 4400 })
    })
  }

  test('a frame above 64 KB: closed with 1009', async () => {
    const wire = await enter(ada.token)
    wire.raw(JSON.stringify({ type: 'ping', padding: 'x'.repeat(limits.frameBytes) }))
    expect(await wire.closed).toMatchObject({ code: 1009 })
  })

  test('nested too deeply: frame.malformed', async () => {
    const wire = await enter(ada.token)
    wire.raw(`{"type":"ping","x":${'['.repeat(5_000)}${']'.repeat(5_000)}}`)
    expect(await wire.type('error')).toMatchObject({ code: 'frame.malformed' })
  })

  test('more than 50 sockets of one user: closed with 4429', async () => {
    const { token } = await guest()
    await Promise.all(Array.from({ length: limits.socketsPerUser }, () => enter(token)))
    const wire = await dial()
    wire.send({ type: 'hello', token })
    expect(await wire.type('error')).toMatchObject({ code: 'limit.sockets', retryable: true })
    expect(await wire.closed).toMatchObject({ code: 4429 })
  })
})

describe('commands', () => {
  test('an ack comes when it is in Postgres; every follower gets the same bytes; anyone can check the chain', async () => {
    const [a, b] = [await enter(ada.token), await enter(bob.token)]
    const id = v7()
    const seq = await acked(a, sendFrame(id, room, 'hello'))
    const { body } = await call('GET', `/api/rooms/${idOf(room)}/events?after=${seq - 1}`, {
      token: bob.token,
    })
    const event = body.items[0]
    expect(event).toMatchObject({
      specversion: '1.0',
      type: 'chat.message.sent.v1',
      subject: room,
      seq,
      actor: ada.actor,
      causationid: id,
      data: { text: 'hello' },
    })
    expect(dataHash(event.salt, event.data)).toBe(event.datahash)
    expect(chainOf(event)).toBe(event.chain)
    for (const wire of [a, b]) {
      await wire.first((f) => f.id === event.id)
      expect(JSON.parse(wire.texts.find((text) => text.includes(event.id))!)).toEqual(event)
    }
    const texts = [a, b].map((wire) => wire.texts.find((text) => text.includes(event.id)))
    expect(texts[0]).toBe(texts[1])
  })

  test('a repetition gets the same ack and appends nothing; another body under the same id is refused', async () => {
    const wire = await enter(ada.token)
    const id = v7()
    const seq = await acked(wire, sendFrame(id, room, 'once'))
    wire.send(sendFrame(id, room, 'once'))
    expect(await wire.answer(id, 1)).toEqual({ type: 'ack', id, subject: room, seq })
    wire.send(sendFrame(id, room, 'twice'))
    expect(await wire.answer(id, 2)).toMatchObject({
      type: 'error',
      code: 'command.id_reused',
      retryable: false,
    })
    const head = (await call('GET', `/api/rooms/${idOf(room)}`, { token: ada.token })).body.room.head
    expect(head).toBe(seq)
  })

  test('the same id of another person is another command', async () => {
    const [a, b] = [await enter(ada.token), await enter(bob.token)]
    const id = v7()
    const first = await acked(a, sendFrame(id, room, 'mine'))
    expect(await acked(b, sendFrame(id, room, 'not yours'))).toBe(first + 1)
  })

  test('after: refused for the moment while that one has no outcome, accepted once it has', async () => {
    const wire = await enter(ada.token)
    const [one, two] = [v7(), v7()]
    wire.send(sendFrame(two, room, 'second', one))
    expect(await wire.answer(two)).toMatchObject({ code: 'command.after_unknown', retryable: true })
    const first = await acked(wire, sendFrame(one, room, 'first'))
    wire.send(sendFrame(two, room, 'second', one))
    expect(await wire.answer(two, 1)).toMatchObject({ type: 'ack', seq: first + 1 })
  })

  test('what is sent in one breath is in the room in that order', async () => {
    const wire = await enter(ada.token)
    const ids = Array.from({ length: 50 }, () => v7())
    for (const [index, id] of ids.entries()) wire.send(sendFrame(id, room, `${index}`, ids[index - 1]))
    const seqs: number[] = []
    for (const id of ids) seqs.push(((await wire.answer(id)) as { seq: number }).seq)
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
    await wire.first((f) => f.causationid === ids.at(-1))
    const texts = wire
      .events(room)
      .filter((e) => ids.includes(e.causationid))
      .map((e) => (e.data as { text: string }).text)
    expect(texts).toEqual(ids.map((_, index) => `${index}`))
  })

  for (const [code, frame] of [
    ['command.unknown', { command: 'chat.message.sing.v1', data: {} }],
    ['command.unknown', { command: 'chat.membership.add.v1', data: {} }],
    ['command.invalid', { command: 'chat.message.send.v1', data: { text: '   ' } }],
    ['command.invalid', { command: 'chat.message.send.v1', data: { text: 'a\u0000b' } }],
    ['command.invalid', { command: 'chat.message.send.v1', data: { text: '\ud800' } }],
    [
      'command.invalid',
      { command: 'chat.message.send.v1', data: { text: 'x'.repeat(limits.messageChars + 1) } },
    ],
    ['command.invalid', { command: 'chat.message.send.v1', data: { text: 'x', texd: 'y' } }],
    ['room.not_found', { command: 'chat.message.send.v1', subject: 'room:nowhere', data: { text: 'x' } }],
  ] as const) {
    test(`${code}: ${JSON.stringify(frame).slice(0, 80)}`, async () => {
      const wire = await enter(ada.token)
      const id = v7()
      wire.send({ type: 'command', id, subject: room, ...frame })
      expect(await wire.answer(id)).toMatchObject({ type: 'error', code, retryable: false })
    })
  }

  test('a private room of others answers exactly like one that does not exist', async () => {
    const secret = await roomOf(bob, [], { visibility: 'private' })
    const wire = await enter(ada.token)
    const [one, two] = [v7(), v7()]
    wire.send(sendFrame(one, secret, 'x'))
    wire.send(sendFrame(two, 'room:nowhere', 'x'))
    const [real, none] = [await wire.answer(one), await wire.answer(two)]
    expect({ ...real, id: '' }).toEqual({ ...none, id: '' })
  })

  test('a public room one is not in: not a member', async () => {
    const publicRoom = await roomOf(bob)
    const wire = await enter(ada.token)
    const id = v7()
    wire.send(sendFrame(id, publicRoom, 'x'))
    expect(await wire.answer(id)).toMatchObject({ code: 'room.not_a_member' })
  })

  test('guests make no rooms and rename none', async () => {
    const { token } = await guest()
    const wire = await enter(token)
    const id = v7()
    wire.send({ type: 'command', id, command: 'chat.room.create.v1', data: { name: 'Mine' } })
    expect(await wire.answer(id)).toMatchObject({ code: 'guest.not_allowed' })
  })

  test("a created room comes back as the ack's subject, the same one for a repetition, and is followed from then on", async () => {
    const wire = await enter(ada.token)
    const id = v7()
    const frame = { type: 'command', id, command: 'chat.room.create.v1', data: { name: 'Made here' } }
    wire.send(frame)
    const ack = await wire.answer(id)
    expect(ack).toMatchObject({ type: 'ack', subject: expect.stringMatching(/^room:/) })
    wire.send(frame)
    expect(await wire.answer(id, 1)).toEqual(ack)
    const { subject } = ack as { subject: string }
    await acked(wire, sendFrame(v7(), subject, 'first words'))
    await wire.first((f) => f.subject === subject && f.type === 'chat.message.sent.v1')
  })
})
