import { type LabEcho, type RetryPolicy, type StreamEvent, uuidSchema } from '@klatsch/contracts'
import { attemptLog, type MemoryEventBus, memoryEventBus } from '@klatsch/event-bus'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { type Echo, echo, echoPolicy } from './echo.ts'

const TOPIC = 'events'
const ROOM = 'room:00000000-0000-4000-8000-000000000001'
const OTHER = 'room:00000000-0000-4000-8000-000000000002'
/** The second is due only long after a test has put right what was wrong. */
const tiers = [100, 5_000].map((delayMs) => ({ topic: `retry-${delayMs}`, delayMs }))
const limits = { backoff: { kind: 'fixed', ms: 5 }, ownAttempts: 2, passingAttempts: 'forever' } as const

let database: TestDatabase
let bus: MemoryEventBus
let study: Echo
let seqs: Record<string, number>

beforeEach(async () => {
  database = await testDatabase()
  const names = [TOPIC, `${TOPIC}.dlq`, 'lab.attempts', ...tiers.map(({ topic }) => topic)]
  bus = memoryEventBus({ topics: Object.fromEntries(names.map((name) => [name, 2])) })
  seqs = {}
  study = await made()
})
afterEach(async () => {
  await study.close()
  await bus.close()
  await database.end()
})

async function made(): Promise<Echo> {
  const deadLetters = await bus.publisher()
  const attempts = attemptLog(deadLetters)
  return echo({ bus, pool: database.pool, deadLetters, attempts, group: 'study', topic: TOPIC, tiers })
}

const id = uuidSchema.parse('00000000-0000-4000-8000-00000000000a')

function eventOf(room: string, text: string): StreamEvent {
  seqs[room] = (seqs[room] ?? 0) + 1
  return {
    ...{ specversion: '1.0', id, source: '/chat', type: 'chat.message.sent.v1', subject: room },
    ...{ time: new Date(0).toISOString(), datacontenttype: 'application/json', seq: seqs[room] },
    ...{ actor: `user:${id}`, causationid: id, correlationid: id, salt: '', datahash: '', prevchain: '' },
    ...{ chain: '', data: { text, messageNo: seqs[room] } },
  }
}

async function say(room: string, ...texts: string[]): Promise<void> {
  const values = texts.map((text) => JSON.stringify(eventOf(room, text)))
  await (await bus.publisher()).publish(
    values.map((value) => ({ topic: TOPIC, key: room, value, headers: {} })),
  )
}

const roomOf = ({ rooms }: LabEcho, name: string) => rooms.find(({ room }) => room === name)
const eventually = (look: (status: LabEcho) => unknown) =>
  expect.poll(async () => look(await study.status()), { timeout: 20_000 })

test('it is off until switched on, counts what there is, once, and goes on after a restart', async () => {
  await say(ROOM, 'one', 'two')
  expect(await study.status()).toMatchObject({ state: 'off', rooms: [], blocked: [], policy: echoPolicy })
  await study.change({ running: true })
  await eventually((s) => roomOf(s, ROOM)).toEqual({
    ...{ room: ROOM, messages: 2, lastText: 'two', late: 0, missing: 0 },
  })
  await study.close()
  // As after a lost commit: everything comes again.
  for (const partition of [0, 1]) bus.faults.commit('study', TOPIC, partition, 'begin')
  study = await made()
  await study.change({ running: true })
  await say(ROOM, 'three')
  await eventually((s) => roomOf(s, ROOM)?.messages).toBe(3)
  await study.change({ running: false })
  await say(ROOM, 'four')
  expect(await study.status()).toMatchObject({ state: 'off', rooms: [{ messages: 3, lastText: 'three' }] })
})

test('park: a poisoned room waits in order and no other; redriven, it has all of it', async () => {
  await study.change({ running: true, poison: 'boom' })
  await say(ROOM, 'a', 'boom', 'b', 'c')
  await say(OTHER, 'fine')
  await eventually((s) => roomOf(s, OTHER)?.messages).toBe(1)
  await eventually((s) => s.blocked[0]?.records).toBe(3)
  const [blocked] = (await study.status()).blocked
  expect(blocked).toMatchObject({ key: ROOM, code: 'lab.poison', attempts: expect.any(Number) })
  const plan = await study.plan({})
  expect(plan).toMatchObject({ records: 3, keys: [{ key: ROOM, take: 3 }] })

  study.redrive({}, 1_000)
  await eventually((s) => s.redrive?.state).toBe('done')
  expect((await study.status()).redrive).toMatchObject({
    handled: 0,
    failed: [{ key: ROOM, code: 'lab.poison' }],
  })

  await study.change({ poison: null })
  study.redrive({ keys: [ROOM] }, 1_000)
  expect(() => study.redrive({}, 1)).toThrow('under way')
  await eventually((s) => s.redrive?.state).toBe('done')
  await say(ROOM, 'd')
  await eventually((s) => roomOf(s, ROOM)).toEqual({
    ...{ room: ROOM, messages: 5, lastText: 'd', late: 0, missing: 0 },
  })
  expect((await study.status()).blocked).toEqual([])
})

/** A thousand for one room, of which the 500th cannot be taken, and as many for its neighbour. */
async function sayThousands(): Promise<void> {
  const texts = Array.from({ length: 1_000 }, (_, n) => `${n}`)
  await Promise.all([say(ROOM, ...texts.with(499, 'boom')), say(OTHER, ...texts)])
}
const thousand = { messages: 1_000, lastText: '999', late: 0, missing: 0 }

test('park: the five hundred behind a poisoned record wait, all others flow; redriven, all are there as they were sent', async () => {
  await study.change({ running: true, poison: 'boom' })
  await sayThousands()
  await eventually((s) => roomOf(s, OTHER)).toEqual({ room: OTHER, ...thousand })
  await eventually((s) => s.blocked[0]?.records).toBe(1 + 500)
  expect(roomOf(await study.status(), ROOM)).toMatchObject({ messages: 499, lastText: '498' })
  await study.change({ poison: null })
  study.redrive({ keys: [ROOM] }, 5_000)
  // Each once and none after one that was sent later.
  await eventually((s) => roomOf(s, ROOM)).toEqual({ room: ROOM, ...thousand })
  await eventually((s) => s.blocked).toEqual([])
  expect(bus.records(`${TOPIC}.dlq`)).toEqual([])
})

test('skip, given the same: one is lost, and none waits', async () => {
  await study.change({ running: true, policy: { kind: 'skip', ...limits }, poison: 'boom' })
  await sayThousands()
  await eventually((s) => roomOf(s, ROOM)).toEqual({ room: ROOM, ...thousand, messages: 999, missing: 1 })
  expect((await study.status()).blocked).toEqual([])
  expect(bus.records(`${TOPIC}.dlq`)).toHaveLength(1)
})

test('tiers, given the same: none is lost, and one comes after those that were sent later', async () => {
  await study.change({ running: true, policy: { kind: 'tiers', ...limits }, poison: 'boom' })
  await sayThousands()
  await eventually((s) => roomOf(s, ROOM)).toEqual({ room: ROOM, ...thousand, messages: 999, missing: 1 })
  await study.change({ poison: null })
  await eventually((s) => roomOf(s, ROOM)).toEqual({ room: ROOM, ...thousand, lastText: 'boom', late: 1 })
  expect(bus.records(`${TOPIC}.dlq`)).toEqual([])
})

test('a redrive can be cancelled, and the key stays blocked with what is left', async () => {
  await study.change({ running: true, poison: 'boom' })
  await say(ROOM, ...Array.from({ length: 40 }, (_, i) => (i === 0 ? 'boom' : `${i}`)))
  await eventually((s) => s.blocked[0]?.records).toBe(40)
  await study.change({ poison: null })
  study.redrive({}, 5)
  await eventually((s) => s.redrive?.handled).toBe(5)
  study.cancel()
  await eventually((s) => s.redrive?.state).toBe('cancelled')
  expect((await study.status()).blocked).toMatchObject([{ key: ROOM, records: 35 }])
})

test('policies are switched while it runs: skip leaves a hole, tiers come late', async () => {
  const skip: RetryPolicy = { kind: 'skip', ...limits }
  await study.change({ running: true, policy: skip, poison: 'boom' })
  await say(ROOM, 'a', 'boom', 'b')
  await eventually((s) => roomOf(s, ROOM)).toEqual({
    ...{ room: ROOM, messages: 2, lastText: 'b', late: 0, missing: 1 },
  })
  await study.change({ policy: { kind: 'tiers', ...limits } })
  await say(OTHER, 'a', 'boom', 'b')
  await eventually((s) => roomOf(s, OTHER)?.lastText).toBe('b')
  await study.change({ poison: null })
  await eventually((s) => roomOf(s, OTHER)).toEqual({
    ...{ room: OTHER, messages: 3, lastText: 'boom', late: 1, missing: 0 },
  })
  expect(bus.records(`${TOPIC}.dlq`)).toHaveLength(1)
  await expect
    .poll(() => bus.records('lab.attempts').map(({ value }) => JSON.parse(value.toString()).kind))
    .toEqual(expect.arrayContaining(['failed', 'dead-lettered', 'deferred', 'recovered']))
})
