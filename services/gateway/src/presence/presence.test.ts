import {
  headers,
  type PresenceState,
  presenceEventTypes,
  presencePartitionKey,
  presencePartitionOf,
  topics,
} from '@klatsch/contracts'
import type { IncomingRecord, OutgoingRecord, Publisher } from '@klatsch/event-bus'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { bodyOfTextFrame } from '../connections/text-frame.ts'
import { createPresence, type Watcher } from './presence.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 })
  return () => vi.useRealTimers()
})
const scheduler = {
  now: () => Date.now(),
  after(ms: number, task: () => void) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
}
const ada = '0b8f6f0e-6a5e-4f0e-8b1e-000000000001'
const bob = '0b8f6f0e-6a5e-4f0e-8b1e-000000000002'
const cid = '0b8f6f0e-6a5e-4f0e-8b1e-000000000003'
const ROOM = 'room:x'
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

class Socket implements Watcher {
  readonly userId: string
  crowded = false
  closed = false
  readonly rooms = new Set([ROOM])
  readonly #frames: Buffer[] = []
  constructor(userId: string) {
    this.userId = userId
  }
  push(frames: Buffer): void {
    this.#frames.push(frames)
  }
  follows(subject: string): boolean {
    return this.rooms.has(subject)
  }
  /** Frames since the last look. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever came.
  frames(): any[] {
    let rest = Buffer.concat(this.#frames.splice(0))
    const found: unknown[] = []
    while (rest.length > 0) {
      const body = bodyOfTextFrame(rest)
      const head = rest.length - body.length
      const length = rest[1]! < 126 ? rest[1]! : rest.readUInt16BE(2)
      found.push(JSON.parse(body.subarray(0, length).toString()))
      rest = rest.subarray(head + length)
    }
    return found
  }
  states(): string[] {
    return this.frames().map(({ subject, data }) => `${subject.at(-1)} ${data.state}`)
  }
}

function setUp() {
  const published: OutgoingRecord[] = []
  const sockets: Socket[] = []
  const publisher: Publisher = {
    queued: 0,
    close: async () => {},
    publish: async (records) => void published.push(...records),
  }
  const presence = createPresence({
    publisher,
    gateway: 'g1',
    scheduler,
    followers: (subject) => sockets.filter((each) => each.follows(subject)).map(({ userId }) => userId),
    warn: () => {},
  })
  return {
    presence,
    said: (topic: string = topics.presenceSignals.name) =>
      published
        .splice(0)
        .filter((record) => record.topic === topic)
        .map(({ value }) => JSON.parse(String(value))),
    enter(user: string): Socket {
      const socket = new Socket(user)
      sockets.push(socket)
      presence.arrived(socket, `session of ${user}`)
      return socket
    },
    watch: (socket: Socket, users: string[], rooms: string[] = []) =>
      presence.watch(socket, { type: 'watch', users, rooms }),
  }
}

const record = (type: string, key: string, value: unknown, more = {}): IncomingRecord => ({
  topic: topics.presenceEvents.name,
  partition: 0,
  offset: '0',
  key,
  value: Buffer.from(JSON.stringify(value)),
  headers: { [headers.type]: type, ...more },
  timestamp: 0,
})
const changed = (user: string, state: PresenceState, version: number, home?: string) =>
  record(
    presenceEventTypes.changed,
    user,
    { specversion: '1.0', subject: `user:${user}`, data: { state, version } },
    { [headers.version]: String(version), [headers.state]: state, ...(home ? { [headers.home]: home } : {}) },
  )
const roster = (of: string, version: number, users: [string, PresenceState][], complete?: object) => {
  const partition = presencePartitionOf(of)
  return record(presenceEventTypes.roster, presencePartitionKey(partition), {
    partition,
    version,
    time: '2026-01-01T00:00:00.000Z',
    users: users.map(([user, state]) => ({ user, state })),
    ...(complete ? { complete } : {}),
  })
}
const audience = (gateway: string, wants: string[], counts: Record<string, number>): IncomingRecord => ({
  ...record('', gateway, {
    gateway,
    wants,
    counts: Object.entries(counts).map(([room, users]) => ({ room, users })),
  }),
  topic: topics.presenceAudiences.name,
})
const typing = (user: string, room: string) =>
  record(
    presenceEventTypes.typing,
    user,
    { specversion: '1.0', subject: room, data: { user, typing: true, forMs: 6_000 } },
    { [headers.subject]: room },
  )

describe('watching', () => {
  test('asks once for somebody nobody here watched, and again when no answer comes', async () => {
    const { said, enter, watch } = setUp()
    const [one, two] = [enter(ada), enter(bob)]
    await pass(5)
    said()
    watch(one, [cid])
    watch(two, [cid])
    await pass(5)
    expect(said()).toEqual([{ kind: 'ask', users: [cid] }])
    await pass(4_500)
    expect(said().filter(({ kind }) => kind === 'ask')).toEqual([{ kind: 'ask', users: [cid] }])
  })

  test('tells the answer, and from then on what changes, to those who watch and to nobody else', async () => {
    const { presence, enter, watch } = setUp()
    const [one, two] = [enter(ada), enter(bob)]
    watch(one, [cid])
    presence.take([roster(cid, 5, [[cid, 'away']])])
    await pass(200)
    presence.take([changed(cid, 'online', 6)])
    await pass(200)
    expect(one.states()).toEqual(['3 away', '3 online'])
    expect(two.states()).toEqual([])
    watch(two, [cid])
    await pass(200)
    expect(two.states()).toEqual(['3 online'])
    watch(one, [])
    presence.take([changed(cid, 'offline', 7)])
    await pass(200)
    expect(one.states()).toEqual([])
    expect(two.states()).toEqual(['3 offline'])
  })

  test('an older version, the same again, or the same state by another version is not told', async () => {
    const { presence, enter, watch } = setUp()
    const one = enter(ada)
    watch(one, [cid])
    presence.take([changed(cid, 'online', 6), changed(cid, 'offline', 4)])
    await pass(200)
    presence.take([changed(cid, 'offline', 6), changed(cid, 'online', 9), changed(cid, 'offline', 8)])
    await pass(200)
    expect(one.states()).toEqual(['3 online'])
  })

  test('changes within a moment are one; a socket that is crowded gets the latest when it has room', async () => {
    const { presence, enter, watch } = setUp()
    const one = enter(ada)
    watch(one, [cid])
    presence.take([changed(cid, 'online', 1), changed(cid, 'away', 2)])
    await pass(200)
    expect(one.states()).toEqual(['3 away'])
    one.crowded = true
    for (const [version, state] of (['online', 'dnd', 'offline'] as const).entries()) {
      presence.take([changed(cid, state, 3 + version)])
      await pass(200)
    }
    expect(one.states()).toEqual([])
    one.crowded = false
    presence.drained(one)
    expect(one.states()).toEqual(['3 offline'])
  })

  test('a whole roster takes everyone it does not name for offline, but only with all of its parts', async () => {
    const { presence, enter, watch } = setUp()
    const one = enter(ada)
    watch(one, [bob, cid])
    presence.take([changed(bob, 'online', 1), changed(cid, 'online', 1)])
    await pass(200)
    one.states()
    presence.take([roster(bob, 9, [], { part: 2, of: 2 }), roster(cid, 9, [], { part: 2, of: 2 })])
    await pass(200)
    expect(one.states()).toEqual([])
    presence.take([roster(bob, 10, [], { part: 1, of: 2 }), roster(bob, 10, [], { part: 2, of: 2 })])
    await pass(200)
    expect(one.states()).toEqual(
      presencePartitionOf(bob) === presencePartitionOf(cid) ? ['2 offline', '3 offline'] : ['2 offline'],
    )
  })

  test('who departed is told nothing and leaves nothing behind', async () => {
    const { presence, enter, watch } = setUp()
    const one = enter(ada)
    watch(one, [cid], [ROOM])
    expect(presence.watched).toBe(1)
    presence.departed(one)
    expect(presence.watched).toBe(0)
    presence.take([changed(cid, 'online', 1), typing(bob, ROOM)])
    await pass(200)
    expect(one.frames()).toEqual([])
  })
})

describe('typing', () => {
  test('goes to those who have the room on their screen and may read it, and not to who types', async () => {
    const { presence, enter, watch } = setUp()
    const [one, two, three] = [enter(ada), enter(bob), enter(cid)]
    watch(one, [], [ROOM])
    watch(two, [], [ROOM])
    presence.take([typing(ada, ROOM), typing(ada, 'room:y')])
    expect(one.frames()).toEqual([])
    expect(two.frames()).toMatchObject([{ subject: ROOM, data: { user: ada, typing: true } }])
    expect(three.frames()).toEqual([])
    two.rooms.clear()
    presence.take([typing(ada, ROOM)])
    expect(two.frames()).toEqual([])
  })

  test('is dropped where a socket is crowded', () => {
    const { presence, enter, watch } = setUp()
    const two = enter(bob)
    watch(two, [], [ROOM])
    two.crowded = true
    presence.take([typing(ada, ROOM)])
    two.crowded = false
    presence.drained(two)
    expect(two.frames()).toEqual([])
  })

  test('is said again at most every 2 s; that it stopped at once, and once', async () => {
    const { presence, said, enter } = setUp()
    const one = enter(ada)
    await pass(5)
    said()
    const say = (on?: boolean) =>
      presence.signal(one, {
        type: 'signal',
        subject: ROOM,
        signal: 'typing',
        ...(on === undefined ? {} : { data: { typing: on } }),
      })
    for (let n = 0; n < 41; n += 1) {
      say()
      await pass(100)
    }
    say(false)
    say(false)
    await pass(100)
    const told = said().flatMap(({ typing: list = [] }) => list)
    expect(told.map((each: { typing: boolean }) => each.typing)).toEqual([true, true, true, false])
  })

  test('into a room one does not follow is refused as if there were none', () => {
    const { presence, enter } = setUp()
    const one = enter(ada)
    const signal = { type: 'signal', subject: 'room:other', signal: 'typing' } as const
    expect(() => presence.signal(one, signal)).toThrow(expect.objectContaining({ code: 'room.not_found' }))
  })
})

describe('how many are in a room', () => {
  const counts = (socket: Socket) =>
    socket.frames().flatMap(({ type, data }) => (type === 'presence.room.v1' ? [data.online] : []))

  test('is told to those who look at it: each person once, over all gateways', async () => {
    const { presence, enter, watch } = setUp()
    const [one, two, again, away] = [enter(ada), enter(bob), enter(bob), enter(cid)]
    presence.take([
      changed(ada, 'online', 1, 'g1'),
      changed(bob, 'online', 1, 'g1'),
      changed(cid, 'online', 1, 'g2'),
    ])
    watch(one, [], [ROOM])
    await pass(500)
    expect(counts(one)).toEqual([2])
    presence.take([audience('g2', [], { [ROOM]: 5, 'room:y': 9 }), audience('g3', [], { [ROOM]: 1 })])
    await pass(500)
    expect(counts(one)).toEqual([8])
    watch(two, [], [ROOM])
    await pass(200)
    expect(counts(two)).toEqual([8])
    presence.take([changed(cid, 'online', 2, 'g1')])
    await pass(5_500)
    expect([counts(one), counts(two)]).toEqual([[9], [9]])
    for (const socket of [again, away]) expect(counts(socket)).toEqual([])
    two.rooms.clear()
    presence.take([audience('g2', [], {})])
    await pass(500)
    expect(counts(one)).toHaveLength(1)
    expect(counts(two)).toEqual([])
  })

  test('a gateway that says nothing more counts no more', async () => {
    const { presence, enter, watch } = setUp()
    const one = enter(ada)
    watch(one, [], [ROOM])
    presence.take([audience('g2', [], { [ROOM]: 5 })])
    await pass(500)
    expect(counts(one)).toEqual([5])
    await pass(21_000)
    expect(counts(one)).toEqual([0])
  })

  test('is said to others when they want it, at once and then every few seconds, and to nobody else', async () => {
    const { presence, enter, said } = setUp()
    enter(ada)
    presence.take([changed(ada, 'online', 1, 'g1')])
    await pass(20_000)
    const topic = topics.presenceAudiences.name
    expect(said(topic)).toEqual([])
    presence.take([audience('g2', [ROOM, 'room:y'], {})])
    await pass(300)
    expect(said(topic)).toEqual([{ gateway: 'g1', wants: [], counts: [{ room: ROOM, users: 1 }] }])
    presence.take([audience('g2', [ROOM], {})])
    await pass(300)
    expect(said(topic)).toEqual([])
    await pass(5_000)
    expect(said(topic)).toHaveLength(1)
    await pass(30_000)
    said(topic)
    await pass(30_000)
    expect(said(topic)).toEqual([])
  })

  test('who comes back before presence told that they left is still counted', async () => {
    const { presence, enter, watch } = setUp()
    const one = enter(ada)
    const first = enter(bob)
    presence.take([changed(bob, 'online', 1, 'g1')])
    presence.departed(first)
    await pass(3_000)
    presence.departed(enter(bob))
    await pass(8_000)
    enter(bob)
    watch(one, [], [ROOM])
    await pass(500)
    expect(counts(one)).toEqual([1])
  })
})

describe("one's own state", () => {
  test('is merged from what signals say; only a choice has a time', async () => {
    const { presence, said, enter } = setUp()
    const one = enter(ada)
    await pass(5)
    expect(said()).toMatchObject([{ sessions: [{ user: ada, session: `session of ${ada}`, idle: false }] }])
    const subject = `user:${ada}`
    presence.signal(one, { type: 'signal', subject, signal: 'presence', data: { idle: true } })
    await pass(1_600)
    presence.signal(one, { type: 'signal', subject, signal: 'presence', data: { hideLastSeen: true } })
    await pass(1_600)
    presence.signal(one, { type: 'signal', subject, signal: 'presence', data: { dnd: true, idle: false } })
    await pass(1_600)
    expect(said().flatMap(({ sessions = [] }) => sessions)).toMatchObject([
      { idle: true },
      { idle: true, chosen: { dnd: false, hideLastSeen: true } },
      { idle: false, chosen: { dnd: true, hideLastSeen: true } },
    ])
  })

  test("of another is not one's own to give", () => {
    const { presence, enter } = setUp()
    const one = enter(ada)
    const signal = {
      type: 'signal',
      subject: `user:${bob}`,
      signal: 'presence',
      data: { dnd: true },
    } as const
    expect(() => presence.signal(one, signal)).toThrow(expect.objectContaining({ code: 'auth.forbidden' }))
  })
})

test('records nobody can read concern nobody', () => {
  const { presence, enter, watch } = setUp()
  const one = enter(ada)
  watch(one, [cid], [ROOM])
  const junk = ['presence.roster.v1', 'presence.resync.v1', 'presence.changed.v1', 'presence.typing.v1', 'x']
  presence.take(
    junk.flatMap((type) => [record(type, cid, {}), { ...record(type, cid, 0), value: Buffer.from('{') }]),
  )
  expect(one.frames()).toEqual([])
})
