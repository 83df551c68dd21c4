import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { call, guest, idOf, registered, roomOf, type TestPerson } from './people.ts'
import { signal, states, told, watch } from './presence-wire.ts'
import { closeWires, enter as enterWire, type Wire } from './wire.ts'

afterEach(closeWires)
const enter = (person: TestPerson): Promise<Wire> => enterWire(person.token)

let ada: TestPerson
let bob: TestPerson
let room: string
beforeAll(async () => {
  ;[ada, bob] = await Promise.all([registered(), registered()])
  room = await roomOf(ada, [bob])
})

describe('presence', () => {
  test('of those on the screen is told: now, and whenever it changes', async () => {
    const eve = await registered()
    const mine = await enter(ada)
    watch(mine, [bob, eve])
    await told(mine, bob, 'offline')
    const theirs = await enter(bob)
    await told(mine, bob, 'online')
    signal(theirs, bob, { idle: true })
    await told(mine, bob, 'away')
    signal(theirs, bob, { dnd: true })
    await told(mine, bob, 'dnd')
    signal(theirs, bob, { dnd: false, idle: false })
    await told(mine, bob, 'online')
    theirs.close()
    const gone = await told(mine, bob, 'offline')
    expect(states(mine, bob)).toEqual(['offline', 'online', 'away', 'dnd', 'online', 'offline'])
    expect(states(mine, eve)).toEqual(['offline'])
    const { lastSeen } = gone.data as { lastSeen: string }
    const agoMs = Date.now() - Date.parse(lastSeen)
    expect(agoMs).toBeGreaterThan(2_000)
    expect(agoMs).toBeLessThan(10_000)
  })

  test('several sockets are one person; who comes back in a moment was never gone', async () => {
    const mine = await enter(ada)
    watch(mine, [bob])
    const first = await enter(bob)
    const second = await enter(bob)
    await told(mine, bob, 'online')
    first.close()
    second.close()
    await second.closed
    await enter(bob)
    const cid = await registered()
    watch(mine, [bob, cid])
    const third = await enter(cid)
    await told(mine, cid, 'online')
    third.close()
    // By now the grace of those who left earlier is over, too.
    await told(mine, cid, 'offline')
    expect(states(mine, bob).at(-1)).toBe('online')
    expect(states(mine, bob)).not.toContain('away')
    expect(states(mine, bob).lastIndexOf('offline')).toBeLessThan(1)
  })

  test('who hides when they were last seen is only offline', async () => {
    const [mine, cid] = [await enter(ada), await guest()]
    watch(mine, [cid])
    const theirs = await enter(cid)
    signal(theirs, cid, { hideLastSeen: true })
    await told(mine, cid, 'online')
    await theirs.roundTrip()
    theirs.close()
    const gone = await told(mine, cid, 'offline')
    expect(gone.data).not.toHaveProperty('lastSeen')
  })

  test('is watched anew on each socket, in bounds', async () => {
    const mine = await enter(ada)
    mine.send({ type: 'watch', users: Array.from({ length: 501 }, () => bob.user.id) })
    expect(await mine.type('error')).toMatchObject({ code: 'frame.malformed' })
    const theirs = await enter(bob)
    signal(theirs, ada, { dnd: true })
    expect(await theirs.type('error')).toMatchObject({ code: 'auth.forbidden' })
    await theirs.roundTrip()
    expect(mine.received.some(({ type }) => type === 'presence.changed.v1')).toBe(false)
  })
})

describe('typing', () => {
  const typing = (wire: Wire, on: boolean) =>
    wire.first((f) => f.type === 'presence.typing.v1' && (f.data as { typing: boolean }).typing === on)

  test('is told to those who have the room on the screen, and not to who types', async () => {
    const [mine, theirs] = [await enter(ada), await enter(bob)]
    watch(mine, [], [room])
    watch(theirs, [], [room])
    await Promise.all([mine.roundTrip(), theirs.roundTrip()])
    theirs.send({ type: 'signal', subject: room, signal: 'typing' })
    expect(await typing(mine, true)).toMatchObject({
      specversion: '1.0',
      subject: room,
      data: { user: bob.user.id, typing: true, forMs: expect.any(Number) },
    })
    theirs.send({ type: 'signal', subject: room, signal: 'typing', data: { typing: false } })
    expect(await typing(mine, false)).not.toHaveProperty('seq')
    expect(theirs.received.some(({ type }) => type === 'presence.typing.v1')).toBe(false)
  })

  test('into a room one is not in is answered as if there were none', async () => {
    const [cid, secret] = [await registered(), await roomOf(ada, [], { visibility: 'private' })]
    const theirs = await enter(cid)
    watch(theirs, [], [secret])
    theirs.send({ type: 'signal', subject: secret, signal: 'typing' })
    expect(await theirs.type('error')).toMatchObject({ code: 'room.not_found', subject: secret })
    const mine = await enter(ada)
    mine.send({ type: 'signal', subject: secret, signal: 'typing' })
    mine.send({ type: 'signal', subject: room, signal: 'typing' })
    watch(theirs, [], [secret])
    await theirs.roundTrip()
    expect(theirs.received.some(({ type }) => type === 'presence.typing.v1')).toBe(false)
  })

  test('ends for who leaves the room', async () => {
    const shared = await roomOf(ada, [bob])
    const [mine, theirs] = [await enter(ada), await enter(bob)]
    watch(theirs, [], [shared])
    await call('POST', `/api/rooms/${idOf(shared)}/leave`, { token: bob.token })
    await theirs.first((frame) => frame.type === 'unfollowed' && frame.subject === shared)
    watch(mine, [], [shared])
    mine.send({ type: 'signal', subject: shared, signal: 'typing' })
    // What presence tells of this user later was told after that.
    watch(theirs, [ada])
    signal(mine, ada, { idle: true })
    await told(theirs, ada, 'away')
    expect(theirs.received.some(({ type }) => type === 'presence.typing.v1')).toBe(false)
  })
})

describe('how many are in a room', () => {
  const online = (wire: Wire, subject: string, count: number) =>
    wire.first(
      (frame) =>
        frame.type === 'presence.room.v1' &&
        frame.subject === subject &&
        (frame.data as { online: number }).online === count,
    )

  test('[S8] is told to who looks at it, each person once, and to nobody outside', async () => {
    const shared = await roomOf(ada, [bob])
    const [mine, cid] = [await enter(ada), await registered()]
    watch(mine, [], [shared])
    await online(mine, shared, 1)
    const theirs = await enter(bob)
    await enter(bob)
    watch(theirs, [], [shared])
    await Promise.all([online(mine, shared, 2), online(theirs, shared, 2)])
    const outside = await enter(cid)
    watch(outside, [], [shared])
    theirs.close()
    await call('POST', `/api/rooms/${idOf(shared)}/leave`, { token: bob.token })
    await mine.first((frame) => frame.type === 'chat.member.left.v1' && frame.subject === shared)
    const others = await roomOf(ada)
    watch(mine, [], [others, shared])
    await online(mine, others, 1)
    await outside.roundTrip()
    expect(outside.received.some(({ type }) => type === 'presence.room.v1')).toBe(false)
  })
})
