import { userSubject } from '@klatsch/contracts'
import { describe, expect, test } from 'vitest'
import { type Bench, bench } from '../test/bench.ts'
import { type FakeSocket, USER } from '../test/fake-server.ts'
import { history } from '../test/history.ts'

const ROOM = 'room:a'
const all = history(ROOM, 40)
const at = (seq: number) => all[seq - 1]!
const cursor = (seq: number) => ({ seq, chain: at(seq).chain })
const told = (b: Bench) => b.seen.event.filter((event) => event.subject === ROOM).map((event) => event.seq)
const kinds = (b: Bench) => b.seen.state.map((state) => state.kind)

/** Connected, live in a room at seq 2, and the server says that it goes away within 2 s. */
async function leaving(options: Parameters<typeof bench>[0] = {}) {
  const b = bench(options)
  const first = await b.welcome([{ subject: ROOM, head: 0 }])
  for (const seq of [1, 2]) first.tell(at(seq))
  first.tell({ type: 'live', subject: ROOM, head: 2 })
  first.tell({ type: 'goaway', withinMs: 2_000 })
  return { b, first }
}

/** The second socket, opened, welcomed where `head` is given. */
async function second(b: Bench, head?: number): Promise<FakeSocket> {
  await b.scheduler.pass(500)
  const socket = b.sockets.at(-1)!
  socket.open()
  if (head !== undefined) socket.welcome([{ subject: ROOM, head }])
  await b.settle()
  return socket
}

describe('[W11] goaway: make before break', () => {
  test('a second socket is opened within a quarter of the time, and resumes where one is', async () => {
    const { b, first } = await leaving()
    await b.scheduler.pass(249)
    expect(b.sockets).toHaveLength(1)
    await b.scheduler.pass(1)
    expect(b.sockets).toHaveLength(2)
    b.socket.open()
    expect(b.socket.of('hello')[0]).toMatchObject({ follow: 'all', cursors: { [ROOM]: cursor(2) } })
    expect(first.closedByClient).toBe(false)
  })

  test('the first is closed when every stream is live on the second; nobody sees anything but another session', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 3)
    expect(first.closedByClient).toBe(false)
    next.tell(at(3))
    next.tell({ type: 'live', subject: ROOM, head: 3 })
    expect(first.closedByClient).toBe(true)
    expect(kinds(b)).toEqual(['connecting', 'connected', 'connected'])
    expect(b.client.streams.get(ROOM)!.live).toBe(true)
    expect(b.seen.live).toHaveLength(1)
    expect(b.client.counts).toMatchObject({ connections: 2, moves: 1 })
    next.tell(at(4))
    expect(told(b)).toEqual([1, 2, 3, 4])
  })

  test('what comes on both is told once, in order, whichever is faster', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 4)
    next.tell(at(3))
    first.tell(at(3))
    first.tell(at(4))
    first.tell(at(5))
    next.tell(at(4))
    next.tell({ type: 'live', subject: ROOM, head: 4 })
    next.tell(at(5))
    next.tell(at(6))
    expect(told(b)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('commands: those on their way are answered by the first or go again on the second, new ones on the second', async () => {
    const { b, first } = await leaving()
    const say = (text: string) => b.client.command('chat.message.send.v1', ROOM, { text })
    const [one, two] = [say('one'), say('two')]
    const next = await second(b, 2)
    const three = say('three')
    expect(next.commands.map((command) => [command.id, command.after])).toEqual([[three.id, two.id]])
    first.ack(first.commands[0]!, 3)
    expect(await one.outcome).toMatchObject({ seq: 3 })
    next.tell({ type: 'live', subject: ROOM, head: 2 })
    expect(next.commands.map((command) => command.id)).toEqual([three.id, two.id])
    expect(b.client.outbox.map((command) => command.state)).toEqual(['sent', 'sent'])
  })

  test('cut before the second is welcomed: that one is the connection being made', async () => {
    const { b, first } = await leaving()
    const next = await second(b)
    first.cut(1012, 'restarting')
    expect(b.client.state.kind).toBe('connecting')
    next.welcome([{ subject: ROOM, head: 3 }])
    next.tell(at(3))
    expect(b.client.state.kind).toBe('connected')
    expect([told(b), b.sockets.length]).toEqual([[1, 2, 3], 2])
  })

  test('cut before all is live on the second: it is the connection all the same', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 4)
    first.cut(1012, 'restarting')
    expect(kinds(b)).toEqual(['connecting', 'connected', 'connected'])
    expect(b.client.streams.get(ROOM)!.live).toBe(false)
    next.tell(at(3))
    next.tell(at(4))
    next.tell({ type: 'live', subject: ROOM, head: 4 })
    expect(b.client.streams.get(ROOM)!.live).toBe(true)
    expect(told(b)).toEqual([1, 2, 3, 4])
  })

  test('a stream that never gets live on the second does not hold it beyond the time', async () => {
    const { b, first } = await leaving()
    await second(b, 4)
    await b.scheduler.pass(1_499)
    expect(first.closedByClient).toBe(false)
    await b.scheduler.pass(1)
    expect(first.closedByClient).toBe(true)
  })

  test('the second fails: tried again while the first lives, then the ordinary way', async () => {
    const { b, first } = await leaving()
    await b.scheduler.pass(500)
    b.socket.cut()
    expect(b.client.state.kind).toBe('connected')
    await b.scheduler.pass(250)
    expect(b.sockets).toHaveLength(3)
    b.socket.cut()
    first.cut(1012)
    expect(b.client.state.kind).toBe('waiting')
    await b.scheduler.pass(1_000)
    b.socket.open()
    b.socket.welcome([{ subject: ROOM, head: 2 }])
    expect(b.client.state.kind).toBe('connected')
  })

  test('the second fails after its welcome: what it told is kept, and one connects anew', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 4)
    next.tell(at(3))
    next.cut()
    expect(b.client.state.kind).toBe('waiting')
    expect(first.closedByClient).toBe(true)
    await b.scheduler.pass(1_000)
    b.socket.open()
    expect(b.socket.of('hello')[0]!.cursors).toEqual({ [ROOM]: cursor(3) })
  })

  test('the second goes away too: then a third, but not at once', async () => {
    const { b } = await leaving()
    const next = await second(b, 2)
    next.tell({ type: 'goaway', withinMs: 100 })
    next.tell({ type: 'live', subject: ROOM, head: 2 })
    await b.scheduler.pass(499)
    expect(b.sockets).toHaveLength(2)
    await b.scheduler.pass(1)
    expect(b.sockets).toHaveLength(3)
  })

  test('joined on the first between hello and welcome: followed on the second; left on it: not told twice', async () => {
    const { b, first } = await leaving()
    const other = history('room:b', 3)
    const next = await second(b)
    first.tell(other[1]!)
    first.tell(at(3))
    first.tell({ type: 'unfollowed', subject: ROOM, code: 'left', seq: 3 })
    // The second asked before either.
    next.welcome([{ subject: ROOM, head: 2 }])
    expect(next.of('follow')).toEqual([
      { type: 'follow', subject: 'room:b', cursor: { seq: 2, chain: other[1]!.chain } },
    ])
    next.tell(at(3))
    next.tell({ type: 'unfollowed', subject: ROOM, code: 'left', seq: 3 })
    next.tell(other[2]!)
    next.tell({ type: 'live', subject: 'room:b', head: 3 })
    expect(told(b)).toEqual([1, 2, 3])
    expect(first.closedByClient).toBe(true)
  })

  test('left on the second while the first is behind: its late events are nothing new', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 3)
    next.tell(at(3))
    next.tell({ type: 'unfollowed', subject: ROOM, code: 'left', seq: 3 })
    first.tell(at(3))
    expect(told(b)).toEqual([1, 2, 3])
    expect([...b.client.streams.keys()]).toEqual([])
  })

  test('left and joined again on the second: what the first, behind, says of the leaving is old', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 3)
    next.tell(at(3))
    first.tell({ type: 'unfollowed', subject: ROOM, code: 'left', seq: 2 })
    first.tell({ type: 'reset', subject: ROOM, reason: 'fork', from: 1, head: 1 })
    next.tell(at(4))
    expect([told(b), b.seen.unfollowed, b.seen.reset]).toEqual([[1, 2, 3, 4], [], []])
  })

  test('a gap the first one fills is none: the second is asked again from where one is', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 30)
    next.tell({ type: 'reset', subject: ROOM, reason: 'gap', from: 20, head: 30 })
    for (let seq = 3; seq <= 10; seq += 1) first.tell(at(seq))
    await b.scheduler.pass(100)
    expect(next.of('follow')).toEqual([{ type: 'follow', subject: ROOM, cursor: cursor(10) }])
    for (let seq = 11; seq <= 30; seq += 1) next.tell(at(seq))
    next.tell({ type: 'live', subject: ROOM, head: 30 })
    expect(told(b)).toEqual(all.slice(0, 30).map((event) => event.seq))
    expect([b.seen.reset, first.closedByClient]).toEqual([[], true])
  })

  test('what one says of oneself and watches is said on the second before the first is closed', async () => {
    const { b, first } = await leaving()
    b.client.presence.say({ dnd: true })
    b.client.presence.watch({ rooms: [ROOM] })
    const next = await second(b, 2)
    expect(first.closedByClient).toBe(false)
    expect(next.of('signal')).toEqual([
      { type: 'signal', subject: userSubject(USER), signal: 'presence', data: { dnd: true } },
    ])
    expect(next.of('watch')).toHaveLength(1)
  })

  test('close() ends both', async () => {
    const { b, first } = await leaving()
    const next = await second(b, 2)
    await b.client.close()
    expect([first.closedByClient, next.closedByClient]).toEqual([true, true])
  })
})

describe('[W10] the time of the server', () => {
  test('is told with welcome and pong', async () => {
    const b = bench()
    const socket = await b.welcome()
    expect(b.client.clockOffsetMs).toBe(0)
    socket.answersPings = false
    await b.scheduler.pass(20_000)
    const asked = b.scheduler.now()
    await b.scheduler.pass(100)
    socket.tell({ type: 'pong', time: new Date(asked + 50 + 3_000).toISOString() })
    expect(b.client.clockOffsetMs).toBe(3_000)
    expect(b.client.now()).toBe(b.scheduler.now() + 3_000)
  })
})
