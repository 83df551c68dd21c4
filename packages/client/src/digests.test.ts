import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bench, bench } from '../test/bench.ts'
import type { FakeSocket } from '../test/fake-server.ts'
import { history } from '../test/history.ts'

const ROOM = 'room:a'
const all = history(ROOM, 40)
const at = (seq: number) => all[seq - 1]!
const cursor = (seq: number) => ({ seq, chain: at(seq).chain })
const told = (b: Bench) => b.seen.event.map((event) => event.seq)
const time = new Date(1_700_000_000_000).toISOString()

const digest = (head: number, subject = ROOM) => ({
  specversion: '1.0',
  id: `d${head}`,
  source: 'gateway',
  type: 'chat.stream.digest.v1',
  subject,
  time,
  datacontenttype: 'application/json',
  data: { head, messageNo: head - 1, lastActivity: time },
})

describe('[W8] [W9] digests', () => {
  test('mode digest: hello says so, and names what is wanted in full', async () => {
    const b = bench({ mode: 'digest' })
    b.client.follow('room:b', { cursor: { seq: 3, chain: 'c' } })
    const socket = await b.welcome([
      { subject: ROOM, head: 7 },
      { subject: 'room:b', head: 3 },
    ])
    expect(socket.of('hello')[0]).toMatchObject({
      follow: 'all',
      mode: 'digest',
      full: ['room:b'],
      cursors: { 'room:b': { seq: 3, chain: 'c' } },
    })
    expect(socket.of('follow')).toEqual([])
    socket.tell(digest(7))
    expect(b.seen.digest).toEqual([{ subject: ROOM, head: 7, messageNo: 6, lastActivity: time }])
    expect(b.client.streams.get(ROOM)).toMatchObject({
      mode: 'digest',
      live: true,
      cursor: undefined,
      digest: { head: 7, messageNo: 6 },
    })
  })

  test('a room joined later comes by its first digest', async () => {
    const b = bench({ mode: 'digest' })
    const socket = await b.welcome([])
    socket.tell(digest(1, 'room:new'))
    expect(b.client.streams.get('room:new')).toMatchObject({ mode: 'digest', live: true })
  })

  test('from digest to full: from the head where one was nowhere, from the cursor where one was', async () => {
    const b = bench({ mode: 'digest' })
    const socket = await b.welcome([{ subject: ROOM, head: 4 }])
    socket.tell(digest(4))
    b.client.follow(ROOM, { mode: 'full' })
    expect(socket.of('follow').at(-1)).toEqual({ type: 'follow', subject: ROOM })
    socket.tell({ type: 'live', subject: ROOM, head: 5 })
    socket.tell(at(6))
    b.client.follow(ROOM, { mode: 'digest' })
    expect(socket.of('follow').at(-1)).toEqual({ type: 'follow', subject: ROOM, mode: 'digest' })
    socket.tell(at(7))
    socket.tell(digest(9))
    b.client.follow(ROOM, { mode: 'full' })
    expect(socket.of('follow').at(-1)).toEqual({ type: 'follow', subject: ROOM, cursor: cursor(6) })
    for (const seq of [7, 8, 9]) socket.tell(at(seq))
    expect(told(b)).toEqual([6, 7, 8, 9])
    expect([b.seen.live.at(0), b.seen.reset]).toEqual([{ subject: ROOM, head: 5 }, []])
  })

  test('a server that tells digests of what is wanted in full is asked again, unless the events come by themselves', async () => {
    const b = bench({ mode: 'digest' })
    const socket = await b.welcome([])
    b.client.follow(ROOM, { mode: 'full' })
    socket.tell({ type: 'live', subject: ROOM, head: 4 })
    const asked = () => socket.of('follow').length
    const before = asked()
    // On its way while the events were, too.
    socket.tell(digest(6))
    socket.tell(at(5))
    socket.tell(at(6))
    await b.scheduler.pass(1_000)
    expect(asked()).toBe(before)
    socket.tell(digest(8))
    await b.scheduler.pass(200)
    expect(socket.of('follow').slice(before)).toEqual([{ type: 'follow', subject: ROOM, cursor: cursor(6) }])
    for (const seq of [7, 8]) socket.tell(at(seq))
    await b.scheduler.pass(60_000)
    expect(asked()).toBe(before + 1)
    expect(told(b)).toEqual([5, 6, 7, 8])
    expect(b.seen.digest).toEqual([])
  })

  test('a hole is none while one follows by digests', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    socket.tell(at(5))
    b.client.follow(ROOM, { mode: 'digest' })
    await b.scheduler.pass(60_000)
    expect(socket.of('follow')).toEqual([{ type: 'follow', subject: ROOM, mode: 'digest' }])
  })

  test('by default in full: a room by digests is asked for after each welcome; its cursor goes along', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell(at(1))
    b.client.follow(ROOM, { mode: 'digest' })
    socket.cut()
    const again = await b.welcome([{ subject: ROOM, head: 3 }])
    expect(again.of('hello')[0]).toMatchObject({ cursors: { [ROOM]: cursor(1) } })
    expect(again.of('follow')).toEqual([{ type: 'follow', subject: ROOM, mode: 'digest' }])
  })

  test('following again in the mode that is live already asks nothing', async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: ROOM, head: 0 }])
    socket.tell({ type: 'live', subject: ROOM, head: 0 })
    b.client.follow(ROOM)
    expect(socket.of('follow')).toEqual([])
  })

  test("one's own stream is always followed in full", async () => {
    const b = bench({ mode: 'digest' })
    const socket = await b.welcome([{ subject: 'user:u', head: 3 }])
    b.client.follow('user:u', { mode: 'digest' })
    expect(b.client.streams.get('user:u')).toMatchObject({ mode: 'full', cursor: { seq: 3 } })
    expect(socket.of('follow')).toEqual([{ type: 'follow', subject: 'user:u', cursor: { seq: 3 } }])
  })

  test('moving to another gateway waits for digests too', async () => {
    const b = bench({ mode: 'digest' })
    const first = await b.welcome([{ subject: ROOM, head: 4 }])
    first.tell(digest(4))
    first.tell({ type: 'goaway', withinMs: 2_000 })
    await b.scheduler.pass(500)
    b.socket.open()
    b.socket.welcome([{ subject: ROOM, head: 4 }])
    expect(first.closedByClient).toBe(false)
    b.socket.tell(digest(5))
    expect(first.closedByClient).toBe(true)
  })

  test('whatever the modes were: in the end each event once, in order, from where one began', async () => {
    const step = fc.record({
      kind: fc.constantFrom('say', 'say', 'full', 'digest', 'cut', 'deliver', 'deliver'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
        const b = bench({ follow: [ROOM] })
        b.client.follow(ROOM, { cursor: { seq: 0, chain: '' } })
        const server = roomServer()
        server.serve(await b.welcome([{ subject: ROOM, head: 0 }]))
        for (const { kind } of steps) {
          if (kind === 'say') server.say()
          else if (kind === 'deliver') server.deliver()
          else if (kind === 'cut') {
            b.socket.cut()
            server.serve(await b.welcome([{ subject: ROOM, head: server.head }]))
          } else b.client.follow(ROOM, { mode: kind as 'full' | 'digest' })
        }
        b.client.follow(ROOM)
        for (let i = 0; i < 20; i += 1) {
          server.deliver()
          await b.scheduler.pass(500)
        }
        expect(told(b)).toEqual(all.slice(0, server.head).map((event) => event.seq))
        expect(b.seen.reset).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})

/** One room, served as the protocol says; what it sends waits until it is delivered, one frame at a time. */
function roomServer() {
  let head = 0
  let socket: FakeSocket
  let asked = 0
  let mode: 'full' | 'digest' = 'full'
  const under: object[] = []
  const send = (frame: object) => void under.push(frame)

  function follow(from: number, now: 'full' | 'digest'): void {
    mode = now
    if (mode === 'digest') send(digest(head))
    else {
      for (const event of all.slice(from, head)) send(event)
      send({ type: 'live', subject: ROOM, head })
    }
  }
  return {
    get head() {
      return head
    },
    serve(next: FakeSocket) {
      socket = next
      under.length = 0
      asked = 0
      const hello = socket.of('hello')[0]!
      follow(hello.cursors[ROOM]?.seq ?? head, 'full')
    },
    say() {
      if (head === all.length) return
      head += 1
      if (mode === 'full') send(at(head))
      else send(digest(head))
    },
    /** The server hears what was asked, then the client what was sent so far. */
    deliver() {
      const now = under.splice(0)
      for (const frame of socket.of('follow').slice(asked)) {
        asked += 1
        follow(frame.cursor?.seq ?? head, frame.mode ?? 'full')
      }
      for (const frame of now) socket.tell(frame)
    },
  }
}
