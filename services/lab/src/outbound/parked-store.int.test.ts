import { setTimeout as sleep } from 'node:timers/promises'
import { type IncomingRecord, memoryEventBus, type ParkedStore, parking } from '@klatsch/event-bus'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { postgresParkedStore } from './parked-store.ts'
import type { Tx } from './transactions.ts'

let database: TestDatabase
let store: ParkedStore<Tx>

beforeEach(async () => {
  database = await testDatabase()
  await database.pool.query(
    'CREATE TABLE lab.applied (id bigint GENERATED ALWAYS AS IDENTITY, key text, value text)',
  )
  store = postgresParkedStore(database.pool, 'test')
})
afterEach(() => database.end())

const poison = new Set<string>()

async function handle(records: readonly IncomingRecord[], tx: Tx): Promise<void> {
  const values = records.map(({ value }) => value.toString())
  await tx.query(
    `INSERT INTO lab.applied (key, value) SELECT r.key, r.value
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (key, value, place) ORDER BY r.place`,
    [records.map(({ key }) => key), values],
  )
  if (values.some((value) => poison.has(value))) throw new Error('poison')
}

async function applied(): Promise<Record<string, string[]>> {
  const { rows } = await database.pool.query<{ key: string; value: string }>(
    'SELECT key, value FROM lab.applied ORDER BY id',
  )
  const found: Record<string, string[]> = {}
  for (const { key, value } of rows) {
    found[key] ??= []
    found[key].push(value)
  }
  return found
}

const recordOf = (key: string, offset: number, over: Partial<IncomingRecord> = {}): IncomingRecord => ({
  ...{ topic: 't', partition: 0, offset: String(offset), key, headers: {}, timestamp: 1_000 + offset },
  value: Buffer.from(`${key} ${offset}`),
  ...over,
})
const why = { code: 'c', error: 'what it said', attempts: 3, since: new Date(1_000) }

test('a parked record comes back as it was: its bytes, headers and place', async () => {
  const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  const headers = { traceparent: '00-ab', ü: 'ö\u0000' }
  const record = recordOf('k', 7, { value, headers, partition: 5 })
  await store.transact(async (tx) => {
    await store.block(tx, 'k', why)
    await store.append(tx, [record, recordOf('k', 8), recordOf('k', 9)])
  })
  const parked = await store.transact((tx) => store.first(tx, 'k', 2))
  expect(parked.map((one) => one.record)).toEqual([record, recordOf('k', 8)])
  expect(await store.keys()).toEqual([
    { key: 'k', ...why, records: 3, next: { topic: 't', partition: 5, offset: '7' } },
  ])
  expect(await store.transact((tx) => store.count(tx))).toBe(3)
})

test('a key is free in the same transaction as its last record; what fails leaves nothing behind', async () => {
  await store.transact(async (tx) => {
    await store.block(tx, 'k', why)
    await store.append(tx, [recordOf('k', 1), recordOf('k', 2)])
  })
  await expect(
    store.transact(async (tx) => {
      expect(await store.remove(tx, 'k', await store.first(tx, 'k', 2))).toBe(true)
      expect((await store.blockedOf(tx, ['k'])).size).toBe(0)
      await store.advance(tx, { topic: 't', partition: 0 }, 10n)
      throw new Error('the process ends here')
    }),
  ).rejects.toThrow('the process ends here')
  expect(await store.keys()).toHaveLength(1)
  const freed = await store.transact(async (tx) => store.remove(tx, 'k', await store.first(tx, 'k', 1)))
  expect(freed).toBe(false)
  const last = await store.transact(async (tx) => store.remove(tx, 'k', await store.first(tx, 'k', 1)))
  expect(last).toBe(true)
  expect(await store.keys()).toEqual([])
})

test('of two owners of a partition one waits for the other, and sees what it did', async () => {
  const of = { topic: 't', partition: 0 }
  const order: string[] = []
  const inside = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const first = store.transact(async (tx) => {
    await store.position(tx, of)
    inside.resolve()
    await goOn.promise
    order.push('first')
    await store.advance(tx, of, 42n)
  })
  await inside.promise
  const second = store.transact(async (tx) => {
    const position = await store.position(tx, of)
    order.push(`second at ${position}`)
  })
  const waiting = async () => {
    const { rows } = await database.pool.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return rows.length
  }
  await expect.poll(waiting).toBe(1)
  goOn.resolve()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second at 42'])
})

test('connections that are cut at any step lose, double and reorder nothing, nor does a redrive among them', async () => {
  const KEYS = 5
  const EACH = 60
  const bus = memoryEventBus({ topics: { t: 3 } })
  for (let key = 0; key < KEYS; key++) if (key % 2 === 0) poison.add(`key-${key} ${10 + key}`)
  const made = parking({ group: 'test', store, handle })
  const consumer = await bus.consume({
    ...{
      group: 'test',
      topics: ['t'],
      start: 'committed',
      handler: made.handler,
      parking: made.space,
      maxBatch: 10,
    },
    policy: {
      ...{ kind: 'park', ownAttempts: 2, passingAttempts: 'forever' },
      backoff: { kind: 'full-jitter', baseMs: 5, capMs: 50 },
    },
  })
  await consumer.ready
  let cutting = true
  let cuts = 0
  const cutter = (async () => {
    while (cutting) {
      await sleep(Math.random() * 40)
      await database.admin(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = '${database.name}' AND random() < 0.5`,
      )
      cuts++
    }
  })()
  const publisher = await bus.publisher()
  for (let n = 0; n < EACH; n++) {
    const records = Array.from({ length: KEYS }, (_, key) => ({
      ...{ topic: 't', key: `key-${key}`, value: `key-${key} ${n}`, headers: {} },
    }))
    await publisher.publish(records)
    if (n % 10 === 0) await sleep(20)
    if (n === 40) poison.clear()
    if (n > 40 && n % 5 === 0) void made.redrive({}, { perSecond: 500 }).catch(() => {})
  }
  await expect.poll(() => cuts, { timeout: 20_000 }).toBeGreaterThan(30)
  cutting = false
  await cutter
  await expect
    .poll(
      async () => {
        await made.redrive().catch(() => {})
        const all = Object.values(await applied().catch(() => ({})))
        return all.reduce((sum, values) => sum + values.length, 0)
      },
      { timeout: 30_000 },
    )
    .toBeGreaterThanOrEqual(KEYS * EACH)
  const found = await applied()
  for (let key = 0; key < KEYS; key++) {
    expect(found[`key-${key}`]).toEqual(Array.from({ length: EACH }, (_, n) => `key-${key} ${n}`))
  }
  expect(await store.keys()).toEqual([])
  await bus.close()
})
