import { describe, expect, test } from 'vitest'
import { bench } from '../test/bench.ts'
import { USER } from '../test/fake-server.ts'
import { history } from '../test/history.ts'

const BOB = '00000000-0000-4000-8000-000000000002'
const CID = '00000000-0000-4000-8000-000000000003'
const ROOM = 'room:x'

const passing = (type: string, subject: string, data: object) => ({
  specversion: '1.0',
  id: 'p',
  source: 'presence',
  type,
  subject,
  time: '2026-01-01T00:00:00.000Z',
  datacontenttype: 'application/json',
  data,
})
const changed = (user: string, state: string, version: number) =>
  passing('presence.changed.v1', `user:${user}`, { state, version })
const typing = (user: string, on = true) =>
  passing('presence.typing.v1', ROOM, { user, typing: on, forMs: 6_000 })

describe('[S1] watching', () => {
  test('is said after each welcome, and only when there is something to watch', async () => {
    const b = bench()
    const first = await b.welcome()
    expect(first.of('watch')).toEqual([])
    b.client.presence.watch({ users: [BOB], rooms: [ROOM] })
    expect(first.of('watch')).toEqual([{ type: 'watch', users: [BOB], rooms: [ROOM] }])
    first.cut()
    b.client.presence.watch({ users: [BOB, CID] })
    b.client.connect()
    const second = await b.welcome()
    expect(second.of('watch')).toEqual([{ type: 'watch', users: [BOB, CID], rooms: [] }])
  })

  test('[S3] the larger version counts, and on a new connection whatever comes first', async () => {
    const b = bench()
    const first = await b.welcome()
    b.client.presence.watch({ users: [BOB] })
    for (const frame of [changed(BOB, 'online', 5), changed(BOB, 'offline', 4), changed(CID, 'online', 9)])
      first.tell(frame)
    first.tell(changed(BOB, 'away', 6))
    expect(b.seen.presence).toEqual([
      { user: BOB, state: 'online', version: 5 },
      { user: BOB, state: 'away', version: 6 },
    ])
    expect([...b.client.presence.people]).toEqual([[BOB, { state: 'away', version: 6 }]])
    first.cut()
    b.client.connect()
    const second = await b.welcome()
    second.tell(changed(BOB, 'offline', 1))
    second.tell(changed(BOB, 'online', 0))
    expect(b.client.presence.people.get(BOB)).toMatchObject({ state: 'offline' })
    b.client.presence.watch({})
    expect(b.client.presence.people.size).toBe(0)
  })
})

test('[S8] how many are in a room is known for rooms that are watched', async () => {
  const b = bench()
  const socket = await b.welcome()
  b.client.presence.watch({ rooms: [ROOM] })
  socket.tell(passing('presence.room.v1', ROOM, { online: 120 }))
  socket.tell(passing('presence.room.v1', 'room:y', { online: 3 }))
  expect(b.seen.online).toEqual([{ room: ROOM, count: 120 }])
  expect(b.client.presence.onlineIn(ROOM)).toBe(120)
  b.client.presence.watch({})
  expect(b.client.presence.onlineIn(ROOM)).toBeUndefined()
})

describe('[S2] what one says of oneself', () => {
  test('is said when it changes, and all of it after each welcome', async () => {
    const b = bench()
    b.client.presence.say({ hideLastSeen: true })
    const first = await b.welcome()
    const said = (socket: typeof first) => socket.of('signal').map(({ data }) => data)
    b.client.presence.say({ idle: true })
    b.client.presence.say({ idle: true })
    b.client.presence.say({ idle: false, dnd: true })
    expect(said(first)).toEqual([{ hideLastSeen: true }, { idle: true }, { idle: false, dnd: true }])
    expect(first.of('signal')[0]).toMatchObject({ subject: `user:${USER}`, signal: 'presence' })
    first.cut()
    b.client.connect()
    expect(said(await b.welcome())).toEqual([{ hideLastSeen: true, idle: false, dnd: true }])
  })
})

describe('[S5] typing', () => {
  test('of others ends when they stop, send, fall silent, or the connection is gone', async () => {
    const b = bench()
    const socket = await b.welcome()
    b.client.presence.watch({ rooms: [ROOM] })
    const now = () => b.client.presence.typingIn(ROOM)
    socket.tell(typing(BOB))
    socket.tell(typing(CID))
    expect(now()).toEqual([BOB, CID])
    socket.tell(typing(BOB, false))
    expect(now()).toEqual([CID])
    await b.scheduler.pass(4_000)
    socket.tell(typing(CID))
    await b.scheduler.pass(4_000)
    expect(now()).toEqual([CID])
    await b.scheduler.pass(2_000)
    expect(now()).toEqual([])
    socket.tell(typing(BOB))
    socket.cut()
    expect(now()).toEqual([])
    expect(b.seen.typing.map(({ users }) => users.length)).toEqual([1, 2, 1, 0, 1, 0])
  })

  test('of who sent a message is over', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    b.client.presence.watch({ rooms: [ROOM] })
    socket.tell(typing(BOB))
    socket.tell(history(ROOM, 1)[0]!)
    expect(b.seen.event).toHaveLength(1)
    expect(b.client.presence.typingIn(ROOM)).toEqual([])
  })

  test('of oneself is said once in 3 s, that it stopped once', async () => {
    const b = bench()
    const socket = await b.welcome()
    const { presence } = b.client
    presence.type(ROOM, false)
    for (let key = 0; key < 40; key += 1) {
      presence.type(ROOM)
      await b.scheduler.pass(100)
    }
    presence.type(ROOM, false)
    presence.type(ROOM, false)
    expect(socket.of('signal').map(({ data }) => data?.typing)).toEqual([true, true, false])
  })
})
