import { closeCodes, emptyTip } from '@klatsch/contracts'
import type { AuthenticatedUser } from '@klatsch/service-kit'
import type { Scheduler } from '@klatsch/streams'
import { expect, test } from 'vitest'
import { rateLimiter } from '../domain/rate-limiter.ts'
import type { Connection } from './connection.ts'
import { createConnections } from './connections.ts'
import { createHub } from './hub.ts'
import type { ChatQueries } from './queries.ts'
import { bodyOfTextFrame } from './text-frame.ts'
import { endOfTurn } from './turn.ts'

const userId = '00000000-0000-4000-8000-000000000001'
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A gateway without a network, in virtual time. */
function gateway() {
  let now = 1_000_000
  const tasks = new Set<{ at: number; run: () => void }>()
  const scheduler: Scheduler = {
    now: () => now,
    after(ms, run) {
      const task = { at: now + ms, run }
      tasks.add(task)
      return () => tasks.delete(task)
    },
  }
  async function pass(ms: number): Promise<void> {
    for (const until = now + ms; ; ) {
      await settle()
      const next = [...tasks].filter((task) => task.at <= until).sort((a, b) => a.at - b.at)[0]
      now = next?.at ?? until
      if (!next) return
      tasks.delete(next)
      next.run()
    }
  }
  const queries: ChatQueries = {
    streams: async (questions) => questions.map(() => []),
    heads: async () => ({}),
    events: async (pages) => pages.map(() => ({ items: [], head: emptyTip })),
  }
  const atEndOfTurn = endOfTurn()
  const common = { queries, scheduler, random: () => 0.5, warn: () => {} }
  const user: AuthenticatedUser = {
    id: userId,
    session: 'one',
    username: 'ada',
    displayName: 'Ada',
    guest: false,
    admin: false,
    expiresAt: Number.MAX_SAFE_INTEGER,
  }
  const connections = createConnections(
    {
      ...common,
      hub: createHub({ ...common, ringBytes: 1_000, atEndOfTurn }),
      commands: { submit: () => '' },
      verify: async () => user,
      limiter: rateLimiter({ perSecond: 10, burst: 10 }, () => now),
      newSessionId: () => 'session',
    },
    atEndOfTurn,
  )

  /** A socket, what it was sent, and when and how it was closed; times since `began`. */
  function socket() {
    const began = now
    const seen: { at: number; goaway: number }[] = []
    const closed: { at: number; code: number }[] = []
    let connection: Connection | undefined
    const transport = {
      write(frames: readonly Buffer[]) {
        for (const frame of frames) {
          const { type, withinMs } = JSON.parse(bodyOfTextFrame(frame).toString())
          if (type === 'goaway') seen.push({ at: now - began, goaway: withinMs })
        }
      },
      buffered: 0,
      close(code: number) {
        closed.push({ at: now - began, code })
        connections.remove(connection!)
      },
      ping() {},
      pauseReading() {},
      resumeReading() {},
    }
    connection = connections.add(transport)
    return {
      seen,
      closed,
      hello: () => connection.receive(JSON.stringify({ type: 'hello', token: 't', follow: [] })),
      leave: () => connections.remove(connection),
    }
  }
  return { connections, socket, pass }
}

test('[W11] sockets are asked to leave one after another, and closed, one after another, when the drain is nearly over', async () => {
  const { connections, socket, pass } = gateway()
  const sockets = Array.from({ length: 4 }, socket)
  for (const each of sockets) each.hello()
  await pass(0)
  let over = false
  const drained = connections.drain(12_000).then(() => {
    over = true
  })
  await pass(12_000)
  const asked = [0, 1_000, 2_000, 3_000]
  const ended = [10_800, 11_100, 11_400, 11_700]
  expect(sockets.map(({ seen }) => seen)).toEqual(asked.map((at) => [{ at, goaway: 10_800 - at }]))
  expect(sockets.map(({ closed }) => closed)).toEqual(
    ended.map((at) => [{ at, code: closeCodes.restarting }]),
  )
  await drained
  expect(over).toBe(true)
})

test('as long as others leave, those who are still here are not closed, up to twice the time', async () => {
  const { connections, socket, pass } = gateway()
  const sockets = Array.from({ length: 4 }, socket)
  for (const each of sockets) each.hello()
  await pass(0)
  const [first, second, third, last] = sockets
  void connections.drain(10_000)
  await pass(8_999)
  first!.leave()
  await pass(5_000)
  second!.leave()
  await pass(5_000)
  third!.leave()
  expect(last!.closed).toEqual([])
  await pass(2)
  expect(last!.closed).toEqual([{ at: 19_000, code: closeCodes.restarting }])
})

test('when nobody has left any more for half of the time, the rest is closed', async () => {
  const { connections, socket, pass } = gateway()
  const [first, last] = [socket(), socket()]
  first.hello()
  last.hello()
  await pass(0)
  void connections.drain(10_000)
  await pass(8_000)
  first.leave()
  await pass(12_000)
  expect(last.closed).toEqual([{ at: 14_000, code: closeCodes.restarting }])
})

test('a drain ends with the last socket, and is waited for no longer than it may take', async () => {
  const { connections, socket, pass } = gateway()
  const one = socket()
  one.hello()
  await pass(0)
  let over = false
  void connections.drain(60_000).then(() => {
    over = true
  })
  await pass(100)
  expect(over).toBe(false)
  one.leave()
  await pass(0)
  expect(over).toBe(true)
})

test('a socket that was let in while draining is welcomed, and then asked to leave', async () => {
  const { connections, socket, pass } = gateway()
  socket().hello()
  await pass(0)
  void connections.drain(9_000)
  await pass(1_000)
  const late = socket()
  await pass(1_000)
  late.hello()
  await expect.poll(() => late.seen).toEqual([{ at: 1_000, goaway: 6_100 }])
  expect(late.closed).toEqual([])
  await pass(7_000)
  expect(late.closed).toEqual([{ at: 7_550, code: closeCodes.restarting }])
})

test('in a hurry all are closed at once', async () => {
  const { connections, socket, pass } = gateway()
  const sockets = Array.from({ length: 3 }, socket)
  for (const each of sockets) each.hello()
  await pass(0)
  await connections.drain(10_000, AbortSignal.abort())
  expect(sockets.map(({ closed }) => closed.map(({ code }) => code))).toEqual(
    sockets.map(() => [closeCodes.restarting]),
  )
})
