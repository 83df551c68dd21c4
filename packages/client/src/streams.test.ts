import { type StreamEvent, verifyEvent } from '@klatsch/contracts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bench } from '../test/bench.ts'
import { eventAfter, history } from '../test/history.ts'
import { memoryStorage } from './storage.ts'

const ROOM = 'room:a'
const all = history(ROOM, 40)
const other = history(ROOM, 40, 'other')
const at = (seq: number): StreamEvent => all[seq - 1]!
const cursor = (seq: number) => ({ seq, chain: at(seq).chain })
const seqs = (events: readonly StreamEvent[]) => events.map((event) => event.seq)

test('the histories of these tests are genuine', () => {
  expect([...all, ...other].every(verifyEvent)).toBe(true)
})

describe('following', () => {
  test('without a cursor a stream begins at its head', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 5 }])
    expect(b.client.streams.get(ROOM)).toMatchObject({
      cursor: { seq: 5 },
      live: false,
      position: { first: 1 },
    })
    socket.tell({ type: 'live', subject: ROOM, head: 5 })
    socket.tell(at(6))
    expect(seqs(b.seen.event)).toEqual([6])
    expect(b.client.streams.get(ROOM)).toMatchObject({ cursor: cursor(6), live: true })
    expect(b.seen.live).toEqual([{ subject: ROOM, head: 5 }])
  })

  test('each reconnect resumes where one was, and what is sent twice is told once', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    for (const seq of [1, 2, 3]) socket.tell(at(seq))
    socket.cut()
    expect(b.client.streams.get(ROOM)!.live).toBe(false)
    const again = await b.welcome([{ subject: ROOM, head: 5 }])
    expect(again.of('hello')[0]!.cursors).toEqual({ [ROOM]: cursor(3) })
    for (const seq of [3, 4, 5, 4, 5]) again.tell(at(seq))
    again.tell({ type: 'live', subject: ROOM, head: 5 })
    expect(seqs(b.seen.event)).toEqual([1, 2, 3, 4, 5])
    expect(b.client.counts).toEqual({ checked: 8, diverged: 0, healed: 0, connections: 2, moves: 0 })
  })

  test('a room joined meanwhile comes by its events, where all are followed', async () => {
    const b = bench()
    const socket = await b.welcome()
    socket.tell(at(3))
    socket.tell(at(4))
    expect(seqs(b.seen.event)).toEqual([3, 4])
  })

  test('events of streams one did not ask for are dropped, where a list is followed', async () => {
    const b = bench({ follow: ['room:b'] })
    const socket = await b.welcome([{ subject: 'room:b', head: 0 }])
    expect(socket.of('hello')[0]!.follow).toEqual(['room:b'])
    socket.tell(at(1))
    expect(b.seen.event).toEqual([])
  })

  test('follow and unfollow', async () => {
    const b = bench({ follow: [] })
    const socket = await b.welcome()
    b.client.follow(ROOM, { cursor: cursor(2) })
    expect(socket.of('follow')).toEqual([{ type: 'follow', subject: ROOM, cursor: cursor(2) }])
    socket.tell(at(3))
    b.client.unfollow(ROOM)
    expect(socket.of('unfollow')).toEqual([{ type: 'unfollow', subject: ROOM }])
    socket.tell(at(4))
    socket.tell({ type: 'unfollowed', subject: ROOM, code: 'asked' })
    expect(seqs(b.seen.event)).toEqual([3])
    expect(b.seen.unfollowed).toEqual([])
    expect(b.client.streams.size).toBe(0)
  })

  test('followed without a cursor, it begins where the server says', async () => {
    const b = bench({ follow: [] })
    const socket = await b.welcome()
    b.client.follow(ROOM)
    expect(socket.of('follow')).toEqual([{ type: 'follow', subject: ROOM }])
    socket.tell({ type: 'live', subject: ROOM, head: 7 })
    socket.tell(at(8))
    expect(seqs(b.seen.event)).toEqual([8])
    expect(b.seen.reset).toEqual([])
  })

  test('left or removed: told, forgotten, and not asked for again', async () => {
    const storage = memoryStorage()
    const b = bench({ storage })
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    socket.tell({ type: 'unfollowed', subject: ROOM, code: 'left', seq: 1 })
    expect(b.seen.unfollowed).toEqual([{ subject: ROOM, code: 'left', seq: 1 }])
    socket.cut()
    const again = await b.welcome()
    expect(again.of('hello')[0]!.cursors).toEqual({})
    await b.client.close()
    expect((await storage.load()).cursors).toEqual({})
  })

  test('removed while one was away: told at the welcome', async () => {
    const b = bench()
    await b.welcome([{ subject: ROOM, head: 0 }])
    b.socket.cut()
    await b.welcome([])
    expect(b.seen.unfollowed).toEqual([{ subject: ROOM, code: 'room.not_found' }])
  })

  test('cursors outlive the process', async () => {
    const storage = memoryStorage()
    const before = bench({ storage })
    const socket = await before.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    socket.tell(at(2))
    await before.scheduler.pass(250)
    expect((await storage.load()).cursors).toEqual({ [ROOM]: cursor(2) })
    socket.tell(at(3))
    await before.scheduler.pass(250)
    const now = bench({ storage })
    const again = await now.welcome([{ subject: ROOM, head: 3 }])
    expect(again.of('hello')[0]!.cursors).toEqual({ [ROOM]: cursor(3) })
  })

  test('a stream that the server has no time for is asked for again, once at a time, and not when one is cut off', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: 'room:b', head: 0 }])
    b.client.follow(ROOM)
    const busy = () =>
      socket.tell({
        type: 'error',
        code: 'server.overloaded',
        subject: ROOM,
        detail: '',
        retryable: true,
        retryAfterMs: 1_000,
      })
    busy()
    busy()
    await b.scheduler.pass(1_000)
    expect(socket.of('follow')).toHaveLength(1)
    await b.scheduler.pass(60_000)
    expect(socket.of('follow')).toHaveLength(2)
    busy()
    socket.cut()
    const again = await b.welcome([{ subject: 'room:b', head: 0 }])
    await b.scheduler.pass(10_000)
    expect(again.of('follow')).toHaveLength(1)
  })

  test('more cursors than fit in a frame are followed after the welcome, in few frames', async () => {
    const storage = memoryStorage()
    const names = Array.from({ length: 1_000 }, (_, i) => `room:${String(i).padStart(36, '0')}`)
    const chain = 'c'.repeat(43)
    await storage.write({ cursors: Object.fromEntries(names.map((name) => [name, { seq: 123_456, chain }])) })
    const b = bench({ storage })
    const socket = await b.welcome(names.map((subject) => ({ subject, head: 123_456 })))
    const hello = socket.of('hello')[0]!
    expect(JSON.stringify(hello).length).toBeLessThan(60_000)
    const follows = socket.of('follow')
    expect(follows.length).toBeLessThan(4)
    for (const frame of follows) expect(JSON.stringify(frame).length).toBeLessThan(60_000)
    const asked = [hello, ...follows].flatMap((frame) => Object.keys(frame.cursors ?? {}))
    expect(asked.sort()).toEqual(names)
  })

  test('pings carry cursors of streams that have caught up', async () => {
    const b = bench()
    const socket = await b.welcome([
      { subject: ROOM, head: 0 },
      { subject: 'room:b', head: 3 },
    ])
    socket.tell(at(1))
    socket.tell({ type: 'live', subject: ROOM, head: 1 })
    await b.scheduler.pass(20_000)
    expect(socket.of('ping')).toEqual([{ type: 'ping', cursors: { [ROOM]: cursor(1) } }])
  })
})

describe('holes and forks', () => {
  test('a hole that closes by itself is none', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    for (const seq of [1, 3, 2, 4]) socket.tell(at(seq))
    await b.scheduler.pass(60_000)
    expect(seqs(b.seen.event)).toEqual([1, 2, 3, 4])
    expect(socket.of('follow')).toEqual([])
  })

  test('a hole that stays is filled by following again from the last good cursor', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    for (const seq of [1, 3, 4]) socket.tell(at(seq))
    await b.scheduler.pass(99)
    expect(socket.of('follow')).toEqual([])
    await b.scheduler.pass(1)
    expect(socket.of('follow')).toEqual([{ type: 'follow', subject: ROOM, cursor: cursor(1) }])
    for (const seq of [2, 3, 4]) socket.tell(at(seq))
    await b.scheduler.pass(60_000)
    expect(seqs(b.seen.event)).toEqual([1, 2, 3, 4])
    expect(socket.of('follow')).toHaveLength(1)
  })

  test('a hole that closes in part is still one', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    for (const seq of [1, 5, 2]) socket.tell(at(seq))
    await b.scheduler.pass(100)
    expect(socket.of('follow')).toEqual([{ type: 'follow', subject: ROOM, cursor: cursor(2) }])
  })

  test('the server says that all was sent, and it was not: asked again', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    socket.tell({ type: 'live', subject: ROOM, head: 2 })
    await b.scheduler.pass(100)
    expect(socket.of('follow')).toHaveLength(1)
    expect(b.seen.live).toEqual([])
  })

  test('asking is repeated, ever more slowly, until it helps', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(2))
    await b.scheduler.pass(3_000)
    expect(socket.of('follow')).toHaveLength(2)
    socket.tell(at(1))
    await b.scheduler.pass(60_000)
    expect(socket.of('follow')).toHaveLength(2)
  })

  test('answers that take longer than many askings are told once, and asked for no more while they come', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    socket.tell(at(40))
    await b.scheduler.pass(120_000)
    const late = socket.of('follow').length
    expect(late).toBeGreaterThan(5)
    for (let seq = 2; seq <= 20; seq += 1) {
      socket.tell(at(seq))
      await b.scheduler.pass(900)
    }
    expect(socket.of('follow')).toHaveLength(late)
    socket.tell(at(40))
    await b.scheduler.pass(120_000)
    for (let answers = 0; answers < late; answers += 1) {
      for (let seq = 2; seq <= 20; seq += 1) socket.tell(at(seq))
    }
    for (let seq = 21; seq < 40; seq += 1) socket.tell(at(seq))
    expect(b.seen.event).toEqual(all)
    expect(b.seen.reset).toEqual([])
    expect(new Set(socket.of('follow').map((frame) => frame.cursor?.seq))).toEqual(new Set([1, 20]))
  })

  test('an event of another history is not told; healed by following again, and counted', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    socket.tell(at(2))
    socket.tell(other[2]!)
    await b.scheduler.pass(0)
    expect(b.seen.diverged).toEqual([{ subject: ROOM, at: 3 }])
    expect(socket.of('follow')).toEqual([{ type: 'follow', subject: ROOM, cursor: cursor(2) }])
    socket.tell(other[3]!)
    for (const seq of [3, 4]) socket.tell(at(seq))
    socket.tell({ type: 'live', subject: ROOM, head: 4 })
    expect(b.seen.event).toEqual([1, 2, 3, 4].map(at))
    expect(b.client.counts).toMatchObject({ diverged: 1, healed: 1 })
    expect(b.client.streams.get(ROOM)!.live).toBe(true)
  })

  test('an event that was changed on its way is not told', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell({ ...at(1), data: { text: 'I owe you money', messageNo: 1 } })
    socket.tell({ ...at(1), time: '2020-01-01T00:00:00.000Z' })
    await b.scheduler.pass(0)
    expect(b.seen.event).toEqual([])
    expect(b.client.counts.diverged).toBe(1)
    expect(socket.of('follow')).toHaveLength(1)
  })

  test('an erased event is told, and its chain still holds', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    const { data: _, salt: __, ...erased } = at(1)
    socket.tell(erased)
    socket.tell(at(2))
    expect(b.seen.event).toEqual([erased, at(2)])
  })

  test('the server says that one has another history: the owner is told where to begin', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    for (const event of other.slice(0, 3)) socket.tell(event)
    socket.tell({ type: 'reset', subject: ROOM, reason: 'fork', from: 1, head: 5 })
    expect(b.seen.reset).toEqual([{ subject: ROOM, reason: 'fork', from: 1, head: 5 }])
    expect(b.seen.diverged).toHaveLength(1)
    socket.tell(at(6))
    expect(b.client.streams.get(ROOM)).toMatchObject({ cursor: cursor(6), live: true })
  })

  test('a gap too large: the owner is told, live goes on from the head, nothing diverged', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell({ type: 'reset', subject: ROOM, reason: 'gap', from: 20, head: 30 })
    socket.tell(at(31))
    expect(b.seen.reset).toEqual([{ subject: ROOM, reason: 'gap', from: 20, head: 30 }])
    expect([b.seen.diverged, seqs(b.seen.event)]).toEqual([[], [31]])
  })

  test('where fetching never helps, the stream is taken up at its head, and the owner told', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    for (let asked = 0; !socket.of('follow').some((f) => !f.cursor) && asked < 10; asked += 1) {
      socket.tell(other[1]!)
      await b.scheduler.pass(40_000)
    }
    expect(socket.of('follow').at(-1)).toEqual({ type: 'follow', subject: ROOM })
    socket.tell({ type: 'live', subject: ROOM, head: 9 })
    socket.tell(other[9]!)
    expect(b.seen.reset).toEqual([{ subject: ROOM, reason: 'fork', from: 1, head: 9 }])
    expect(seqs(b.seen.event)).toEqual([1, 10])
  })

  test('over a way that loses, and takes far longer than one waits: told once each, in order, all of it and no reset', async () => {
    const of = <K extends string>(kind: K, most: number) =>
      fc.record({ kind: fc.constant(kind), count: fc.integer({ min: 1, max: most }) })
    const step = fc.oneof(
      { weight: 3, arbitrary: of('said', 3) },
      { weight: 3, arbitrary: of('arrive', 20) },
      { weight: 1, arbitrary: of('lost', 3) },
      { weight: 3, arbitrary: of('wait', 60_000) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const b = bench()
        const socket = await b.welcome([{ subject: ROOM, head: 0 }])
        const way: object[] = []
        let head = 0
        let answered = 0
        const live = () => ({ type: 'live', subject: ROOM, head })
        const arrive = (count: number) => {
          for (const frame of way.splice(0, count)) socket.tell(frame)
        }
        const answer = () => {
          for (const { cursor } of socket.of('follow').slice(answered)) {
            way.push(...all.slice(cursor!.seq, head), live())
            answered += 1
          }
        }
        for (const { kind, count } of steps) {
          if (kind === 'said') {
            way.push(...all.slice(head, head + count))
            head = Math.min(all.length, head + count)
          } else if (kind === 'arrive') arrive(count)
          else if (kind === 'lost') way.splice(0, count)
          else await b.scheduler.pass(count)
          answer()
        }
        // From here on nothing is lost any more.
        way.push(live())
        for (let i = 0; i < 3; i += 1) {
          arrive(way.length)
          await b.scheduler.pass(60_000)
          answer()
        }
        arrive(way.length)
        expect(b.seen.event).toEqual(all.slice(0, head))
        expect([b.seen.reset, b.seen.diverged]).toEqual([[], []])
      }),
      { numRuns: 150 },
    )
  })

  test('whatever is lost, doubled, mixed up or cut: told once each, in order, to the end', async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ kind: fc.constant('event' as const), seq: fc.integer({ min: 1, max: 40 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('wrong' as const), seq: fc.integer({ min: 1, max: 40 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), seq: fc.constant(0) }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), seq: fc.integer({ min: 0, max: 500 }) }),
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const b = bench({ follow: [ROOM] })
        b.client.follow(ROOM, { cursor: { seq: 0, chain: '' } })
        await b.welcome([{ subject: ROOM, head: 40 }])
        for (const { kind, seq } of steps) {
          if (kind === 'event') b.socket.tell(at(seq))
          else if (kind === 'wrong') b.socket.tell(other[seq - 1]!)
          else if (kind === 'wait') await b.scheduler.pass(seq)
          else {
            b.socket.cut()
            await b.welcome([{ subject: ROOM, head: 40 }])
          }
        }
        // From here on the server does as the protocol says.
        b.socket.cut()
        const socket = await b.welcome([{ subject: ROOM, head: 40 }])
        let answered = 0
        const answer = (from: number) => {
          for (const event of all.slice(from)) socket.tell(event)
          socket.tell({ type: 'live', subject: ROOM, head: 40 })
        }
        const { cursors } = socket.of('hello')[0]!
        const first = cursors[ROOM]!
        if (first.seq > 0 && first.chain !== at(first.seq).chain) {
          socket.tell({ type: 'reset', subject: ROOM, reason: 'fork', from: 1, head: 40 })
        } else answer(first.seq)
        for (let i = 0; i < 5; i += 1) {
          await b.scheduler.pass(1_000)
          const follows = socket.of('follow')
          for (; answered < follows.length; answered += 1) answer(follows[answered]!.cursor?.seq ?? 40)
        }
        const told = b.seen.event
        // The first event may be the other history's: with nothing known before it, either is a beginning.
        expect(seqs(told)).toEqual([...new Set(seqs(told))].sort((x, y) => x - y))
        for (let i = 1; i < told.length; i += 1) expect(told[i]!.prevchain).toBe(told[i - 1]!.chain)
        expect(b.client.streams.get(ROOM)!.cursor?.seq).toBe(40)
        if (b.seen.reset.length === 0) expect(told).toEqual(all)
      }),
      { numRuns: 150 },
    )
  })
})

test('one genuine event more links to the last', () => {
  expect(eventAfter({ subject: ROOM, seq: 40, chain: at(40).chain }).prevchain).toBe(at(40).chain)
})
