import {
  type GatewaySignal,
  headers,
  KlatschError,
  passingEventSchema,
  presenceEventTypes,
  presencePartitionKey,
  presencePartitionOf,
  presenceTimes,
  resyncSchema,
  rosterSchema,
  topics,
} from '@klatsch/contracts'
import { type IncomingRecord, type OutgoingRecord, PassingFault, type Publisher } from '@klatsch/event-bus'
import { expect, test } from 'vitest'
import { Memory } from '../domain/memory.ts'
import { learnSeen } from './seen.ts'
import { signalProcessor } from './signals.ts'

const ADA = '0b8f6f0e-6a5e-4f0e-8b1e-000000000001'
const BOB = '0b8f6f0e-6a5e-4f0e-8b1e-000000000002'
const PARTITION = 3
const context = { topic: topics.presenceSignals.name, partition: PARTITION, attempt: 1 }

function setUp(latest: readonly IncomingRecord[] = []) {
  const published: OutgoingRecord[] = []
  const refuse = { next: false }
  const publisher: Publisher = {
    queued: 0,
    close: async () => {},
    async publish(records) {
      if (refuse.next) {
        refuse.next = false
        throw new KlatschError('server.unavailable')
      }
      published.push(...records)
    },
  }
  const processor = signalProcessor(publisher, new Memory(), async () => latest)
  const lost = new AbortController()
  let offset = 100 + latest.length
  const next = (value: unknown, time: number): IncomingRecord => record(value, offset++, time)
  const handle = (records: readonly IncomingRecord[]) =>
    processor.handle(records, { ...context, signal: lost.signal })
  return { processor, published, refuse, lost, next, handle }
}

const record = (value: unknown, offset: number, time: number): IncomingRecord => ({
  topic: context.topic,
  partition: PARTITION,
  offset: String(offset),
  key: presencePartitionKey(PARTITION),
  value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  headers: {},
  timestamp: time,
})

const online = (n = 1): GatewaySignal => ({
  kind: 'gateway',
  gateway: 'g',
  epoch: 1,
  n,
  ...(n === 1 ? { full: { part: 1, of: 1 } } : {}),
  sessions: [{ user: ADA, session: 's', idle: false }],
})
const typeOf = ({ headers: given }: OutgoingRecord) => given[headers.type]

test('a partition that is ours begins with asking all gateways; one that is lost is forgotten', async () => {
  const { processor, published, lost, handle } = setUp()
  await processor.assigned(PARTITION, lost.signal)
  expect(published.map(typeOf)).toEqual([presenceEventTypes.resync])
  expect(resyncSchema.parse(JSON.parse(String(published[0]!.value)))).toEqual({ partition: PARTITION })
  expect(presencePartitionOf(published[0]!.key)).toBe(PARTITION)
  expect([...processor.partitions.keys()]).toEqual([PARTITION])
  lost.abort()
  expect(processor.partitions.size).toBe(0)
  await expect(handle([])).rejects.toThrow(PassingFault)
})

test('what changed is a frame as it is, keyed by the user', async () => {
  const { processor, published, lost, next, handle } = setUp()
  await processor.assigned(PARTITION, lost.signal)
  await handle([next(online(), 1_700_000_000_000)])
  const last = published.at(-1)!
  expect(last).toMatchObject({ topic: topics.presenceEvents.name, key: ADA })
  expect(last.headers).toMatchObject({ [headers.version]: '100', [headers.state]: 'online' })
  expect(passingEventSchema.parse(JSON.parse(String(last.value)))).toMatchObject({
    type: 'presence.changed.v1',
    subject: `user:${ADA}`,
    time: '2023-11-14T22:13:20.000Z',
    data: { state: 'online', version: 100 },
  })
})

test('what the log did not take is told when the same records come again', async () => {
  const { processor, published, refuse, lost, next, handle } = setUp()
  await processor.assigned(PARTITION, lost.signal)
  const records = [next(online(), 1_000)]
  refuse.next = true
  await expect(handle(records)).rejects.toThrow(PassingFault)
  await handle(records)
  await handle(records)
  expect(published.map(typeOf)).toEqual([presenceEventTypes.resync, presenceEventTypes.changed])
})

test('a record that is no signal changes nothing, and is no hole once it is buried', async () => {
  const { processor, lost, next, handle } = setUp()
  await processor.assigned(PARTITION, lost.signal)
  await handle([next(online(), 1_000)])
  for (const junk of ['', '{', '[]', { kind: 'gateway' }, { ...online(2), n: -1 }]) {
    const bad = next(junk, 2_000)
    await expect(handle([next(online(3), 1_000), bad])).rejects.toMatchObject({ code: 'request.invalid' })
    processor.buried(bad)
    expect(processor.partitions.get(PARTITION)?.people.size).toBeLessThanOrEqual(1)
  }
})

test('when somebody was last here is remembered and told, unless they hide it', async () => {
  const { processor, published, lost, next, handle } = setUp()
  await processor.assigned(PARTITION, lost.signal)
  const ended = (user: string) => ({
    kind: 'gateway',
    gateway: 'g',
    epoch: 1,
    n: 2,
    ended: [{ user, session: 's', graceMs: 0 }],
  })
  const chosen = { dnd: false, hideLastSeen: true, at: 1 }
  const sessions = [
    { user: ADA, session: 's', idle: false },
    { user: BOB, session: 't', idle: false, chosen },
  ]
  await handle([next({ ...online(), sessions }, 0)])
  await handle([
    next({ ...ended(ADA), ended: [...ended(ADA).ended, { user: BOB, session: 't', graceMs: 0 }] }, 900),
  ])
  for (let at = 1_800; at < 20_000; at += 900) await handle([next({ kind: 'tick' }, at)])
  const remembered = published.filter(({ topic }) => topic === topics.presenceSeen.name)
  expect(remembered.map(({ key, value }) => [key, JSON.parse(String(value))])).toEqual([
    [ADA, { at: 900, hidden: false }],
    [BOB, { at: 900, hidden: true }],
  ])
  await handle([next({ kind: 'ask', users: [ADA, BOB] }, 21_000)])
  expect(rosterSchema.parse(JSON.parse(String(published.at(-1)!.value))).users).toEqual([
    { user: ADA, state: 'offline', lastSeen: '1970-01-01T00:00:00.900Z' },
    { user: BOB, state: 'offline' },
  ])
})

test('what other instances remembered is known here, the latest of each', async () => {
  const memory = new Memory(2)
  const learn = learnSeen(memory)
  const of = (user: string, value: unknown) => ({ ...record(value, 0, 0), key: user })
  await learn(
    [
      of(ADA, { at: 5, hidden: false }),
      of(ADA, { at: 3, hidden: true }),
      of(BOB, { at: 9, hidden: true }),
      of(BOB, '{'),
    ],
    { ...context, signal: new AbortController().signal },
  )
  expect([memory.lastSeen(ADA), memory.lastSeen(BOB), memory.size]).toEqual([5, undefined, 2])
  memory.note('one more', { at: 1, hidden: false })
  expect([memory.size, memory.lastSeen(ADA)]).toEqual([2, undefined])
})

test('time is kept only where somebody is known', async () => {
  const { processor, published, lost, next, handle } = setUp()
  await processor.assigned(PARTITION, lost.signal)
  const ticks = () => published.filter(({ topic }) => topic === topics.presenceSignals.name)
  await processor.keepTime(PARTITION)
  expect(ticks()).toHaveLength(1)
  expect(presencePartitionOf(ticks()[0]!.key)).toBe(PARTITION)
  for (let s = 0; s <= presenceTimes.leaseMs / 1_000 + 1; s += 1)
    await handle([next({ kind: 'tick' }, s * 1_000)])
  expect(processor.partitions.get(PARTITION)?.settled).toBe(true)
  await processor.keepTime(PARTITION)
  expect(ticks()).toHaveLength(1)
  await handle([next(online(), 20_000)])
  await processor.keepTime(PARTITION)
  expect(ticks()).toHaveLength(2)
  await processor.keepTime(PARTITION + 1)
  expect(ticks()).toHaveLength(2)
})

test('the latest records say who was heard of; what they hold is not told twice', async () => {
  const latest = [online(), ...Array.from({ length: 7 }, () => ({ kind: 'tick' })), online(2)]
  const { processor, published, lost, handle } = setUp(
    latest.map((value, index) => record(value, 100 + index, index * 900)),
  )
  await processor.assigned(PARTITION, lost.signal)
  await handle([record(online(), 100, 0), record({ kind: 'tick' }, 101, 900)])
  expect(published.map(typeOf)).toEqual([
    presenceEventTypes.resync,
    presenceEventTypes.changed,
    presenceEventTypes.roster,
  ])
  expect(rosterSchema.parse(JSON.parse(String(published[2]!.value)))).toMatchObject({
    partition: PARTITION,
    complete: { part: 1, of: 1 },
    users: [{ user: ADA, state: 'online' }],
  })
})
