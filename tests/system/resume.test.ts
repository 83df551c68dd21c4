import { randomUUID } from 'node:crypto'
import { chainOf, limits, type StreamEvent } from '@klatsch/contracts'
import { v7 } from 'uuid'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { call, idOf, registered, roomOf, type TestPerson } from './people.ts'
import { acked, closeWires, enter, sendFrame, type Wire } from './wire.ts'

/** More than a resume pushes. The 100,000 of `npm run bench -- resume` take the same ways. */
const EVENTS = limits.resumeEvents + 50
const RUN = 250

afterEach(closeWires)

let ada: TestPerson
let bob: TestPerson
let room: string

/** All events after a seq, page by page, as one goes back the whole way. */
async function wayBack(token: string, subject: string, after: number): Promise<StreamEvent[]> {
  const events: StreamEvent[] = []
  for (;;) {
    const last = events.at(-1)?.seq ?? after
    const { body } = await call('GET', `/api/rooms/${idOf(subject)}/events?after=${last}`, { token })
    if (body.items.length === 0) return events
    events.push(...body.items)
  }
}

const isLive = (wire: Wire) => wire.first((frame) => frame.type === 'live' && frame.subject === room)

beforeAll(async () => {
  ;[ada, bob] = await Promise.all([registered(), registered()])
  room = await roomOf(ada, [bob])
  for (let sent = 0; sent < EVENTS; sent += RUN) {
    const wire = await enter(ada.token, { follow: [] })
    const ids = Array.from({ length: Math.min(RUN, EVENTS - sent) }, () => v7())
    for (const [index, id] of ids.entries()) wire.send(sendFrame(id, room, `${sent + index}`))
    for (const id of ids) expect(await wire.answer(id)).toMatchObject({ type: 'ack' })
    wire.close()
  }
})

describe('[W4] a cursor that is too old', () => {
  test('is answered by reset, a page from there, the way back to the cursor, and live after the head', async () => {
    const cursor = (await wayBack(bob.token, room, 0))[0]!
    const cursors = { [room]: { seq: cursor.seq, chain: cursor.chain } }
    const wire = await enter(bob.token, { follow: [room], cursors })
    const reset = await wire.type('reset')
    await isLive(wire)
    const { head } = reset
    expect(reset).toMatchObject({ subject: room, reason: 'gap' })
    expect(head).toBeGreaterThanOrEqual(EVENTS)
    expect(reset.from).toBeGreaterThan(cursor.seq + 1)
    expect(wire.events(room)).toEqual([])
    const missed = await wayBack(bob.token, room, cursor.seq)
    expect(missed.at(-1)?.seq).toBe(head)
    expect(missed.some(({ seq }) => seq === reset.from)).toBe(true)
    let before: { seq: number; chain: string } = cursor
    for (const event of missed) {
      expect(event).toMatchObject({ seq: before.seq + 1, prevchain: before.chain, chain: chainOf(event) })
      before = event
    }
    const seq = await acked(wire, sendFrame(v7(), room, 'after'))
    await expect.poll(() => wire.events(room).map((event) => event.seq)).toEqual([seq])
    expect(wire.events(room)[0]?.prevchain).toBe(before.chain)
  })

  test('and of another history besides: the same, and nothing of it is taken for true', async () => {
    const cursors = { [room]: { seq: 5, chain: 'x'.repeat(43) } }
    const wire = await enter(bob.token, { follow: [room], cursors })
    expect(await wire.type('reset')).toMatchObject({ subject: room })
    await isLive(wire)
    expect(wire.events(room)).toEqual([])
  })
})

describe('many cursors at once', () => {
  test('each stream gets its own answer: some events, none, a page, another history, the future, no such room', async () => {
    const rooms = await Promise.all(Array.from({ length: 5 }, () => roomOf(ada, [bob])))
    const [behind, even, forked, future, fresh] = rooms as [string, string, string, string, string]
    const heads = new Map<string, StreamEvent>()
    for (const each of rooms) heads.set(each, (await wayBack(bob.token, each, 0)).at(-1)!)
    const { seq, chain } = heads.get(even)!
    const nowhere = Array.from({ length: 300 }, () => `room:${randomUUID()}`)
    const cursors = {
      ...Object.fromEntries(nowhere.map((each) => [each, { seq: 7, chain: 'x'.repeat(43) }])),
      [behind]: { seq: heads.get(behind)!.seq - 1 },
      [even]: { seq, chain },
      [forked]: { seq: heads.get(forked)!.seq, chain: 'x'.repeat(43) },
      [future]: { seq: heads.get(future)!.seq + 1_000 },
      [room]: { seq: 0 },
    }
    const wire = await enter(bob.token, { cursors })
    const mine = [...rooms, room]
    for (const each of mine) await wire.first((frame) => frame.type === 'live' && frame.subject === each)
    await wire.roundTrip()
    const about = (subject: string) =>
      wire.received.filter((frame) => frame.subject === subject).map(({ type }) => type)
    expect(wire.events(behind)).toEqual([heads.get(behind)])
    expect(about(even)).toEqual(['live'])
    expect(about(fresh)).toEqual(['live'])
    for (const each of [forked, future, room]) expect(about(each)).toEqual(['reset', 'live'])
    const known = new Set(wire.welcome.streams.map(({ subject }) => subject))
    for (const each of nowhere) {
      expect(known.has(each)).toBe(false)
      expect(about(each)).toEqual([])
    }
  })

  test('ten thousand, in further frames: each answered once, and others do not wait for it', async () => {
    const rooms = await Promise.all(Array.from({ length: 10 }, () => roomOf(ada, [bob])))
    const heads = new Map<string, StreamEvent>()
    for (const each of rooms) heads.set(each, (await wayBack(bob.token, each, 0)).at(-1)!)
    const nowhere = Array.from({ length: 9_990 }, () => `room:${randomUUID()}`)
    const all = [...nowhere, ...rooms].map((each, index) => [(index * 7_919) % 10_000, each] as const)
    const wanted = all.toSorted(([a], [b]) => a - b).map(([, each]) => each)
    const wire = await enter(bob.token, { follow: [] })
    for (let at = 0; at < wanted.length; at += 400) {
      const cursors = wanted
        .slice(at, at + 400)
        .map((each) => [each, { seq: (heads.get(each)?.seq ?? 9) - 1 }])
      wire.send({ type: 'follow', cursors: Object.fromEntries(cursors) })
    }
    const other = await enter(ada.token, { follow: [] })
    await other.roundTrip()
    await expect
      .poll(() => wire.received.filter(({ type }) => type === 'unfollowed' || type === 'live').length, {
        timeout: 50_000,
      })
      .toBe(wanted.length + 1)
    for (const each of rooms) expect(wire.events(each)).toEqual([heads.get(each)])
    const unfollowed = wire.received.flatMap((frame) => (frame.type === 'unfollowed' ? [frame.subject] : []))
    expect(unfollowed.toSorted()).toEqual(nowhere.toSorted())
  })

  test('asked for by name, what is not there is said to be not there, once each', async () => {
    const nowhere = Array.from({ length: 300 }, () => `room:${randomUUID()}`)
    const cursors = Object.fromEntries([...nowhere, room].map((each) => [each, { seq: 1 }]))
    const wire = await enter(bob.token, { follow: [...nowhere, room], cursors })
    await isLive(wire)
    await wire.roundTrip()
    const unfollowed = wire.received.filter((frame) => frame.type === 'unfollowed')
    expect(new Set(unfollowed.map(({ subject }) => subject))).toEqual(new Set(nowhere))
    expect(unfollowed).toHaveLength(nowhere.length)
    expect(new Set(unfollowed.map(({ code }) => code))).toEqual(new Set(['room.not_found']))
  })
})

test('a room one has left: nothing of it, by socket or by page, whatever cursor one has', async () => {
  const cid = await registered()
  const hers = await roomOf(ada, [cid])
  const wire = await enter(ada.token, { follow: [hers] })
  const [last] = (await wayBack(cid.token, hers, 0)).slice(-1)
  await call('POST', `/api/rooms/${idOf(hers)}/leave`, { token: cid.token })
  await acked(wire, sendFrame(v7(), hers, 'without Cid'))
  const cursors = { [hers]: { seq: last!.seq, chain: last!.chain } }
  for (const follow of ['all' as const, [hers]]) {
    const his = await enter(cid.token, { follow, cursors })
    expect(his.welcome.streams.map(({ subject }) => subject)).not.toContain(hers)
    if (follow !== 'all') {
      expect(await his.type('unfollowed')).toEqual({
        type: 'unfollowed',
        subject: hers,
        code: 'room.not_found',
      })
    }
    await his.roundTrip()
    expect(his.events(hers)).toEqual([])
  }
  const page = await call('GET', `/api/rooms/${idOf(hers)}/events?after=0`, { token: cid.token })
  expect(page).toMatchObject({ status: 403, body: { code: 'room.not_a_member' } })
})
