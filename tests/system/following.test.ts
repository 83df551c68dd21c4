import { randomUUID } from 'node:crypto'
import { auditSchema, digestSchema } from '@klatsch/contracts'
import { v7 } from 'uuid'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { call, registered, roomOf, type TestPerson } from './people.ts'
import { acked, closeWires, enter, sendFrame, type Wire } from './wire.ts'

afterEach(closeWires)

let ada: TestPerson
let bob: TestPerson
beforeAll(async () => {
  ;[ada, bob] = await Promise.all([registered(), registered()])
})

describe('following', () => {
  async function withEvents(count: number) {
    const own = await roomOf(ada, [bob])
    const wire = await enter(ada.token, { follow: [own] })
    for (let i = 0; i < count; i += 1) await acked(wire, sendFrame(v7(), own, `${i}`))
    await expect.poll(() => wire.events(own).length).toBe(count)
    return { own, events: wire.events(own) }
  }

  test('a resume gets what was missed, in order, each once, and then live', async () => {
    const { own, events } = await withEvents(5)
    const at = events[1]!
    const wire = await enter(bob.token, { cursors: { [own]: { seq: at.seq, chain: at.chain } } })
    await wire.first((f) => f.type === 'live' && f.subject === own)
    expect(wire.events(own)).toEqual(events.slice(2))
    const live = wire.received.findIndex((f) => f.type === 'live' && f.subject === own)
    expect(wire.received.slice(0, live).filter((f) => f.subject === own)).toHaveLength(3)
  })

  test('from the very beginning', async () => {
    const { own, events } = await withEvents(1)
    const wire = await enter(bob.token, { follow: [own], cursors: { [own]: { seq: 0 } } })
    await wire.first((f) => f.type === 'live' && f.subject === own)
    const seqs = wire.events(own).map(({ seq }) => seq)
    expect(seqs).toEqual(Array.from({ length: events.at(-1)!.seq }, (_, i) => i + 1))
  })

  test('a cursor of another history, or of the future: reset, and where to take the page from', async () => {
    const { own, events } = await withEvents(2)
    const head = events.at(-1)!.seq
    for (const cursor of [
      { seq: head - 1, chain: 'x'.repeat(43) },
      { seq: head, chain: 'x'.repeat(43) },
      { seq: head + 5, chain: 'x'.repeat(43) },
    ]) {
      const wire = await enter(bob.token, { follow: [own], cursors: { [own]: cursor } })
      expect(await wire.type('reset')).toEqual({ type: 'reset', subject: own, reason: 'fork', from: 1, head })
      expect(wire.events(own)).toEqual([])
    }
    const wire = await enter(bob.token, { follow: [own], cursors: { [own]: { seq: head + 5 } } })
    await wire.type('reset')
    const seq = await acked(wire, sendFrame(v7(), own, 'goes on'))
    await expect.poll(() => wire.events(own).map((e) => e.seq)).toEqual([seq])
  })

  test('ping with cursors: a right one is fine, a wrong one is healed by a reset', async () => {
    const { own, events } = await withEvents(2)
    const wire = await enter(bob.token, { follow: [own] })
    await wire.first((f) => f.type === 'live' && f.subject === own)
    const { seq, chain } = events.at(-1)!
    wire.send({ type: 'ping', cursors: { [own]: { seq, chain } } })
    await wire.type('pong')
    expect(wire.received.some((f) => f.type === 'reset')).toBe(false)
    wire.send({ type: 'ping', cursors: { [own]: { seq, chain: 'x'.repeat(43) } } })
    expect(await wire.type('reset')).toMatchObject({ subject: own, reason: 'fork', head: seq })
  })

  test('unfollow, and follow again with a cursor', async () => {
    const { own, events } = await withEvents(1)
    const wire = await enter(bob.token, { follow: [own] })
    wire.send({ type: 'unfollow', subject: own })
    expect(await wire.type('unfollowed')).toEqual({ type: 'unfollowed', subject: own, code: 'asked' })
    await acked(wire, sendFrame(v7(), own, 'unseen'))
    await wire.roundTrip()
    expect(wire.events(own)).toEqual([])
    const { seq, chain } = events.at(-1)!
    wire.send({ type: 'follow', subject: own, cursor: { seq, chain } })
    await wire.first((f) => f.type === 'chat.message.sent.v1' && f.subject === own)
    expect(wire.events(own).map((e) => e.seq)).toEqual([seq + 1])
  })

  test('following what one may not read: unfollowed, room.not_found', async () => {
    const secret = await roomOf(bob, [], { visibility: 'private' })
    const wire = await enter(ada.token)
    for (const subject of [secret, 'room:nowhere', bob.actor]) {
      wire.send({ type: 'follow', subject })
      expect(await wire.first((f) => f.subject === subject)).toEqual({
        type: 'unfollowed',
        subject,
        code: 'room.not_found',
      })
    }
  })

  test('all: a room joined later is followed from the joining on; left, it is cut at exactly that seq', async () => {
    const own = await roomOf(ada)
    const [a, b] = [await enter(ada.token), await enter(bob.token)]
    await acked(a, sendFrame(v7(), own, 'before'))
    const joined = await acked(b, {
      type: 'command',
      id: v7(),
      command: 'chat.room.join.v1',
      subject: own,
      data: {},
    } as { id: string })
    const said = await acked(a, sendFrame(v7(), own, 'welcome'))
    await b.first((f) => 'specversion' in f && f.subject === own && f.seq === said)
    const left = await acked(b, {
      type: 'command',
      id: v7(),
      command: 'chat.room.leave.v1',
      subject: own,
      data: {},
    } as { id: string })
    expect(await b.first((f) => f.type === 'unfollowed' && f.subject === own)).toEqual({
      type: 'unfollowed',
      subject: own,
      code: 'left',
      seq: left,
    })
    const after = await acked(a, sendFrame(v7(), own, 'without Bob'))
    await a.first((f) => 'specversion' in f && f.subject === own && f.seq === after)
    await b.roundTrip()
    expect(b.events(own).map((e) => e.seq)).toEqual([joined, said, left])
  })
})

/** A digest may wait a second for its turn. */
const patient = { timeout: 20_000 }

describe('digests', () => {
  const digestsOf = (wire: Wire, subject: string) =>
    wire.received.flatMap((frame) => {
      const digest = digestSchema.safeParse(frame)
      return digest.success && digest.data.subject === subject ? [digest.data.data] : []
    })
  const join = (subject: string) => ({
    type: 'command',
    id: v7(),
    command: 'chat.room.join.v1',
    subject,
    data: {},
  })

  test('[W8] hello with digests: one for each room at once, with its messages; full events where asked for', async () => {
    const [quiet, shown] = [await roomOf(ada, [bob]), await roomOf(ada, [bob])]
    const writer = await enter(ada.token, { follow: [quiet, shown] })
    for (const text of ['one', 'two', 'three']) await acked(writer, sendFrame(v7(), quiet, text))
    const wire = await enter(bob.token, { mode: 'digest', full: [shown] })
    await wire.first((f) => f.type === 'live' && f.subject === shown)
    await expect.poll(() => digestsOf(wire, quiet), patient).toHaveLength(1)
    const { head } = wire.welcome.streams.find(({ subject }) => subject === quiet)!
    expect(digestsOf(wire, quiet)[0]).toMatchObject({ head, messageNo: 3 })
    const seq = await acked(writer, sendFrame(v7(), quiet, 'four'))
    const pushed = await acked(writer, sendFrame(v7(), shown, 'here'))
    await expect.poll(() => digestsOf(wire, quiet).at(-1), patient).toMatchObject({ head: seq, messageNo: 4 })
    await expect.poll(() => wire.events(shown).map((event) => event.seq)).toEqual([pushed])
    expect(wire.received.some((f) => f.subject === quiet && 'seq' in f)).toBe(false)
    expect(digestsOf(wire, shown)).toEqual([])
    expect(digestsOf(wire, bob.actor)).toEqual([])
  })

  test('[W8] a room joined later comes as hello said', async () => {
    const [later, shown] = [await roomOf(ada), await roomOf(ada)]
    const wire = await enter(bob.token, { mode: 'digest', full: [shown] })
    const seq = await acked(wire, join(later))
    await expect.poll(() => digestsOf(wire, later).at(-1)?.head, patient).toBe(seq)
    await acked(wire, join(shown))
    await wire.first((f) => f.type === 'live' && f.subject === shown)
    expect(wire.events(shown)).toHaveLength(1)
  })

  test('[W9] full and back again: the history is whole, and nothing is pushed in between', async () => {
    const own = await roomOf(ada, [bob])
    const writer = await enter(ada.token, { follow: [own] })
    const wire = await enter(bob.token, { follow: [own], mode: 'digest' })
    const start = wire.welcome.streams.find(({ subject }) => subject === own)!.head
    const missed = [
      await acked(writer, sendFrame(v7(), own, '1')),
      await acked(writer, sendFrame(v7(), own, '2')),
    ]
    await expect.poll(() => digestsOf(wire, own).at(-1)?.head, patient).toBe(missed.at(-1))
    wire.send({ type: 'follow', subject: own, cursor: { seq: start } })
    await wire.first((f) => f.type === 'live' && f.subject === own)
    const live = await acked(writer, sendFrame(v7(), own, '3'))
    const seqs = () => wire.events(own).flatMap((event) => event.seq ?? [])
    await expect.poll(seqs).toEqual([...missed, live])
    const told = digestsOf(wire, own).length
    wire.send({ type: 'follow', subject: own, mode: 'digest' })
    await expect.poll(() => digestsOf(wire, own).length, patient).toBe(told + 1)
    const after = await acked(writer, sendFrame(v7(), own, '4'))
    await expect.poll(() => digestsOf(wire, own).at(-1), patient).toMatchObject({ head: after, messageNo: 4 })
    expect(seqs()).toEqual([...missed, live])
  })

  test('[W9] [D8] who leaves gets no digest after it', async () => {
    const own = await roomOf(ada, [bob])
    const writer = await enter(ada.token, { follow: [own] })
    const wire = await enter(bob.token, { mode: 'digest' })
    const leave = { ...join(own), command: 'chat.room.leave.v1' }
    const left = await acked(wire, leave)
    expect(await wire.first((f) => f.type === 'unfollowed' && f.subject === own)).toMatchObject({
      code: 'left',
      seq: left,
    })
    const seq = await acked(writer, sendFrame(v7(), own, 'without Bob'))
    await writer.first((f) => f.subject === own && f.seq === seq)
    wire.send({ type: 'follow', subject: own, mode: 'digest' })
    await wire.first((f) => f.type === 'unfollowed' && f.code === 'room.not_found')
    expect(digestsOf(wire, own).every(({ head }) => head < left)).toBe(true)
  })
})

test('[H5] anyone may see what the gateway compared', async () => {
  const before = auditSchema.parse((await call('GET', '/api/audit')).body)
  const own = await roomOf(ada, [bob])
  const wire = await enter(bob.token, { follow: [own], cursors: { [own]: { seq: 0 } } })
  await wire.first((f) => f.type === 'live' && f.subject === own)
  const { seq, chain } = wire.events(own).at(-1)!
  wire.send({ type: 'ping', cursors: { [own]: { seq, chain } } })
  await wire.type('pong')
  const after = auditSchema.parse((await call('GET', '/api/audit')).body)
  expect(after).toMatchObject({ since: before.since, diverged: before.diverged })
  expect(after.checked).toBeGreaterThan(before.checked)
})

describe('tokens', () => {
  test('a newer token in band', async () => {
    const wire = await enter(ada.token)
    const fresh = await call('POST', '/api/auth/refresh', {
      body: { refreshToken: (await registered()).refreshToken },
    })
    expect(fresh.status).toBe(200)
    wire.send({ type: 'auth', token: ada.token })
    expect(await wire.type('authed')).toMatchObject({ expiresIn: expect.any(Number) })
    await wire.roundTrip()
  })

  test("another person's token in band: closed with 4401", async () => {
    const wire = await enter(ada.token)
    wire.send({ type: 'auth', token: bob.token })
    expect(await wire.closed).toMatchObject({ code: 4401 })
  })

  test('junk in band: closed with 4401', async () => {
    const wire = await enter(ada.token)
    wire.send({ type: 'auth', token: randomUUID() })
    expect(await wire.closed).toMatchObject({ code: 4401 })
  })
})
