import type { Cursor } from '@klatsch/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  expectWhole,
  hubOver,
  readable,
  reader,
  seqs,
  subject,
  truth,
  user,
  virtualTime,
} from '../../test/engine.ts'
import type { Subscription } from './subscription.ts'

test('[D5] whatever the log drops, doubles or reorders, and whoever reads slowly, everyone gets all of it once, in order', {
  timeout: 60_000,
}, async () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('write' as const),
        how: fc.constantFrom('deliver', 'drop', 'double', 'hold'),
        count: fc.integer({ min: 1, max: 6 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('join' as const), back: fc.integer({ min: -3, max: 400 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('stall' as const), who: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), who: fc.nat() }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 400 }) }),
    },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 0, max: 600 }),
      fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1 }),
      async (steps, before, latencies) => {
        const time = virtualTime()
        const record = truth()
        for (let n = 0; n < before; n += 1) record.append()
        let asked = 0
        let calm = true
        const hub = hubOver(record, time, () => (calm ? 5 : latencies[asked++ % latencies.length]!))
        const opened = hub.ask(user, [subject])
        await time.pass(10)
        await opened
        calm = false
        const readers: { socket: ReturnType<typeof reader>; subscription: Subscription; cursor: Cursor }[] =
          []
        const join = (cursor: Cursor) => {
          const socket = reader()
          readers.push({ socket, cursor, subscription: hub.subscribe(socket, readable, cursor, 'full') })
        }
        const held: ReturnType<typeof record.append>[] = []
        for (const each of steps) {
          switch (each.do) {
            case 'write': {
              const events = Array.from({ length: each.count }, () => record.append())
              if (each.how === 'deliver') hub.accept(events)
              if (each.how === 'double') hub.accept([...events, ...events])
              if (each.how === 'hold') held.push(...events)
              break
            }
            case 'release':
              hub.accept(held.reverse())
              held.length = 0
              break
            case 'join': {
              const seq = Math.max(0, Math.min(record.head.seq, record.head.seq - each.back))
              join({ seq, chain: record.chainAt(seq) })
              break
            }
            case 'stall':
              if (readers.length > 0) readers[each.who % readers.length]!.socket.congested = true
              break
            case 'read': {
              const one = readers[each.who % Math.max(1, readers.length)]
              if (!one) break
              one.socket.congested = false
              if (!one.subscription.live) hub.pull(one.subscription)
              break
            }
            case 'pass':
              await time.pass(each.ms)
          }
        }
        calm = true
        await time.pass(2_000)
        join({ seq: 0, chain: '' })
        for (const { socket, subscription } of readers) {
          socket.congested = false
          if (!subscription.live) hub.pull(subscription)
        }
        await time.pass(60_000)
        for (const { socket, cursor, subscription } of readers) {
          expect(subscription.live).toBe(true)
          expectWhole(socket.frames, cursor, record.head.seq)
        }
        hub.close()
      },
    ),
    { numRuns: 300 },
  )
})

test('[W4] a cursor of another history, or from the future, is sent to a fresh page', async () => {
  const time = virtualTime()
  const record = truth()
  for (let n = 0; n < 300; n += 1) record.append()
  const hub = hubOver(record, time, () => 1)
  const tracked = hub.ask(user, [subject])
  await time.pass(10)
  await tracked
  for (const cursor of [
    { seq: 300, chain: 'other' },
    { seq: 200, chain: 'other' },
    { seq: 9_999, chain: 'x' },
  ]) {
    const socket = reader()
    hub.subscribe(socket, readable, cursor, 'full')
    await time.pass(1_000)
    expect(socket.frames).toEqual([
      { type: 'reset', subject, reason: 'fork', from: 101, head: 300 },
      { type: 'live', subject, head: 300 },
    ])
  }
  hub.close()
})

test('[D8] who leaves gets the event that says so, and nothing after it, even where it comes in one go', async () => {
  const time = virtualTime()
  const record = truth()
  const hub = hubOver(record, time, () => 1)
  const tracked = hub.ask(user, [subject])
  await time.pass(10)
  await tracked
  const [fast, slow] = [reader(), reader()]
  hub.subscribe(fast, readable, undefined, 'full')
  const behind = hub.subscribe(slow, readable, undefined, 'full')
  await time.pass(10)
  slow.congested = true
  const said = record.append()
  const left = record.append('chat.member.left.v1', { user })
  const after = record.append()
  hub.accept([after, said, left])
  await time.pass(500)
  slow.congested = false
  hub.pull(behind)
  await time.pass(500)
  for (const socket of [fast, slow]) {
    expect(seqs(socket.frames)).toEqual([1, 2])
    expect(socket.frames.at(-1)).toEqual({ type: 'unfollowed', subject, code: 'left', seq: 2 })
  }
  hub.close()
})

test('[D5] what went by before the answer came is not missed, where nobody followed the stream yet', async () => {
  const time = virtualTime()
  const record = truth()
  record.append()
  const hub = hubOver(record, time, () => 50)
  const asked = hub.ask(user, [subject])
  await time.pass(10)
  const late = record.append()
  expect(hub.wants(subject)).toBe(false)
  hub.passed(late.subject, late.seq)
  await time.pass(60)
  const [answer] = await asked
  expect(answer!.head.seq).toBe(1)
  const socket = reader()
  hub.subscribe(socket, answer!, undefined, 'full')
  // Long before heads are compared.
  await time.pass(1_000)
  expect(seqs(socket.frames)).toEqual([2])
  hub.close()
})

test('[D5] a thousand who come back in one turn all get what they missed, and go live', async () => {
  const time = virtualTime()
  const record = truth()
  for (let n = 0; n < 30; n += 1) record.append()
  const hub = hubOver(record, time, () => 5)
  const asked = hub.ask(user, [subject])
  await time.pass(10)
  await asked
  const cursor = { seq: 10, chain: record.chainAt(10) }
  const sockets = Array.from({ length: 1_000 }, () => reader())
  const subscriptions = sockets.map((socket) => hub.subscribe(socket, readable, cursor, 'full'))
  await time.pass(1_000)
  expect(subscriptions.every(({ live }) => live)).toBe(true)
  for (const { frames } of sockets) expectWhole(frames, cursor, record.head.seq)
  hub.close()
})
