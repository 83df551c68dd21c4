import {
  KlatschError,
  type PresenceSignal,
  presencePartitionOf,
  presenceSignalSchema,
  presenceTimes,
  topics,
} from '@klatsch/contracts'
import type { OutgoingRecord, Publisher } from '@klatsch/event-bus'
import { beforeEach, expect, test, vi } from 'vitest'
import { createSignals } from './signals.ts'

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
const uuid = (n: number) => `0b8f6f0e-6a5e-4f0e-8b1e-${String(n).padStart(12, '0')}`
/** Users of one partition. */
const users = Array.from({ length: 9_000 }, (_, n) => uuid(n)).filter((id) => presencePartitionOf(id) === 2)
const session = (n: number, more = {}) => ({ user: users[n]!, session: `s${n}`, idle: false, ...more })

function setUp() {
  const published: OutgoingRecord[] = []
  let refusing = false
  let hold: Promise<void> | undefined
  const publisher: Publisher = {
    queued: 0,
    close: async () => {},
    async publish(records) {
      await hold
      if (refusing) throw new KlatschError('server.unavailable')
      published.push(...records)
    },
  }
  const signals = createSignals({ publisher, gateway: 'g1', scheduler, warn: () => {} })
  return {
    signals,
    refuse(yes: boolean) {
      refusing = yes
    },
    hold(promise: Promise<void> | undefined) {
      hold = promise
    },
    /** What was said since the last look, checked against the schema and the partition. */
    said(): PresenceSignal[] {
      return published.splice(0).map(({ topic, key, value }) => {
        expect(topic).toBe(topics.presenceSignals.name)
        expect(presencePartitionOf(key)).toBe(2)
        return presenceSignalSchema.parse(JSON.parse(String(value)))
      })
    },
  }
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

test('begins with a full set, goes on with numbered changes', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  await pass(5)
  const [first] = said()
  expect(first).toMatchObject({
    epoch: 1_700_000_000_000,
    n: 1,
    full: { part: 1, of: 1 },
    sessions: [session(1)],
  })
  signals.put(session(2))
  signals.end(session(1), 4_000)
  await pass(5)
  expect(said()).toEqual([
    {
      kind: 'gateway',
      gateway: 'g1',
      epoch: 1_700_000_000_000,
      n: 2,
      sessions: [session(2)],
      ended: [{ user: users[1], session: 's1', graceMs: 4_000 }],
    },
  ])
})

test('beats every 2 s while it has sessions, and then no more', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  await pass(10_100)
  expect(said().length).toBeGreaterThanOrEqual(5)
  signals.end(session(1), 0)
  await pass(5)
  said()
  await pass(20_000)
  expect(said()).toEqual([])
  signals.put(session(1))
  await pass(5)
  expect(said()).toMatchObject([{ n: 1, full: { part: 1, of: 1 } }])
})

test('what comes while a publish is under way goes together in the next', async () => {
  const { signals, said, hold } = setUp()
  const held = Promise.withResolvers<void>()
  hold(held.promise)
  signals.put(session(0))
  await pass(5)
  for (let n = 1; n <= 600; n += 1) signals.put(session(n))
  held.resolve()
  hold(undefined)
  await pass(10)
  const signalsSaid = said()
  expect(signalsSaid.map((s) => s.kind === 'gateway' && [s.n, s.sessions?.length])).toEqual([
    [1, 1],
    [2, 500],
    [3, 100],
  ])
})

test('after a publish that failed everything is said again under a new epoch', async () => {
  const { signals, said, refuse } = setUp()
  signals.put(session(1))
  await pass(5)
  const [first] = said()
  refuse(true)
  signals.put(session(2))
  signals.end(session(1), 4_000)
  await pass(5)
  refuse(false)
  await pass(600)
  const again = said()
  expect(again).toMatchObject([
    { n: 1, full: { part: 1, of: 1 }, sessions: [session(2)], ended: [{ user: users[1], session: 's1' }] },
  ])
  expect((again[0] as { epoch: number }).epoch).toBeGreaterThan((first as { epoch: number }).epoch)
})

test('who leaves in the moment of a full set is named in it, with the grace that is left, and not for longer', async () => {
  const { signals, said } = setUp()
  const wanted = { partition: 2, gateway: 'g1', fenced: undefined }
  signals.put(session(1))
  signals.put(session(2))
  await pass(5)
  said()
  signals.resync(wanted)
  signals.end(session(1), 4_000)
  await pass(5)
  const [full] = said()
  expect(full).toMatchObject({ n: 1, full: { part: 1, of: 1 }, sessions: [session(2)] })
  expect(full).toMatchObject({
    ended: [{ user: users[1], session: 's1', graceMs: expect.closeTo(4_000, -2) }],
  })
  await pass(2_995)
  signals.resync(wanted)
  await pass(5)
  const again = said().find((s) => s.kind === 'gateway' && s.full)
  expect(again).toMatchObject({ ended: [{ session: 's1', graceMs: expect.closeTo(1_000, -2) }] })
  await pass(1_100)
  signals.resync(wanted)
  await pass(5)
  expect(said().at(-1)).toEqual(expect.not.objectContaining({ ended: expect.anything() }))
})

test('that the last one left is told again when it may not have arrived', async () => {
  const { signals, said, refuse } = setUp()
  signals.put(session(1))
  await pass(5)
  said()
  refuse(true)
  signals.end(session(1), 4_000)
  await pass(5)
  refuse(false)
  await pass(600)
  expect(said()).toMatchObject([{ full: { part: 1, of: 1 }, sessions: [], ended: [{ session: 's1' }] }])
})

test('frozen for longer than its lease may last, it begins a new epoch by itself', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  await pass(5)
  said()
  vi.setSystemTime(Date.now() + presenceTimes.leaseMs)
  await pass(600)
  expect(said()).toMatchObject([{ n: 1, full: { part: 1, of: 1 }, sessions: [session(1)] }])
})

test('asked for its full set it sends it once, above the epoch that is over; asked for another it is silent', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  await pass(5)
  said()
  const fenced = Date.now() + 3_600_000
  signals.resync({ partition: 2, gateway: 'g2' })
  signals.resync({ partition: 3 })
  for (let times = 0; times < 50; times += 1) signals.resync({ partition: 2, gateway: 'g1', fenced })
  await pass(100)
  expect(said()).toMatchObject([{ epoch: fenced + 1, n: 1, full: { part: 1, of: 1 } }])
  signals.resync({ partition: 2 })
  await pass(100)
  expect(said()).toEqual([])
  await pass(1_000)
  expect(said()).toMatchObject([{ epoch: fenced + 2, n: 1 }])
})

test('who had somebody a moment ago answers with an empty set, so that nobody waits for it', async () => {
  const { signals, said } = setUp()
  signals.resync({ partition: 2 })
  await pass(1_500)
  expect(said()).toEqual([])
  signals.put(session(1))
  await pass(5)
  signals.end(session(1), 0)
  await pass(5)
  said()
  signals.resync({ partition: 2 })
  await pass(100)
  expect(said()).toMatchObject([{ n: 1, full: { part: 1, of: 1 }, sessions: [] }])
})

test('a session that flaps is told at most about once in a second, the last state included', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  await pass(5)
  said()
  for (let n = 0; n < 99; n += 1) {
    signals.put(session(1, { idle: n % 2 === 0 }))
    await pass(20)
  }
  await pass(1_500)
  const told = said().filter((s) => s.kind === 'gateway' && s.sessions)
  expect(told.length).toBeLessThanOrEqual(5)
  expect(told.at(-1)).toMatchObject({ sessions: [session(1, { idle: true })] })
})

test('a change that waits is not lost when another goes first', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  await pass(5)
  signals.put(session(1, { idle: true }))
  signals.put(session(2))
  await pass(600)
  expect(said().flatMap((s) => (s.kind === 'gateway' ? (s.sessions ?? []) : []))).toEqual([
    session(1),
    session(2),
    session(1, { idle: true }),
  ])
})

test('what a session said last is told, also when it ends at once', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  signals.put(session(2))
  await pass(5)
  said()
  const chosen = { dnd: false, hideLastSeen: true, at: 1 }
  signals.put(session(1, { chosen }))
  signals.end(session(1), 4_000)
  signals.put(session(3))
  signals.end(session(3), 4_000)
  await pass(5)
  expect(said()).toMatchObject([
    { sessions: [session(1, { chosen })], ended: [{ session: 's1' }, { session: 's3' }] },
  ])
})

test('a full set of many comes in parts', async () => {
  const { signals, said } = setUp()
  for (let n = 0; n < 1_100; n += 1) signals.put(session(n))
  signals.typing(users[0]!, 'room:x', true)
  await pass(5)
  expect(
    said().map((s) => s.kind === 'gateway' && [s.n, s.full, s.sessions?.length, s.typing?.length]),
  ).toEqual([
    [1, { part: 1, of: 3 }, 500, undefined],
    [2, { part: 2, of: 3 }, 500, undefined],
    [3, { part: 3, of: 3 }, 100, undefined],
    [4, undefined, undefined, 1],
  ])
})

test('closing says what is left', async () => {
  const { signals, said } = setUp()
  signals.put(session(1))
  await pass(5)
  said()
  signals.end(session(1), presenceTimes.handOverMs)
  const closed = signals.close()
  await pass(5)
  await closed
  expect(said()).toMatchObject([{ n: 2, ended: [{ graceMs: presenceTimes.handOverMs }] }])
  await pass(10_000)
  expect(said()).toEqual([])
})
