import { dlqOf, type RetryPolicy, type RetryTier, type Topic } from '@klatsch/contracts'
import {
  type EventBus,
  ensureTopics,
  type IncomingRecord,
  kafkaEventBus,
  kafkaSettingsFromEnv,
  parking,
} from '@klatsch/event-bus'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { check, type Report } from '../../../../packages/drills/src/judge/checker.ts'
import type { History } from '../../../../packages/drills/src/judge/history.ts'
import { printReport } from '../../../../packages/drills/src/report/print.ts'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { postgresParkedStore } from '../outbound/parked-store.ts'
import type { Tx } from '../outbound/transactions.ts'

const RUN = `race-${process.pid}-${Date.now().toString(36)}`
const TOPIC = `${RUN}-events`
const ROOM = 'room:poisoned'
const IN_ROOM = 1_000
const POISON = 500
const OTHERS = 9
const IN_OTHERS = 100

const settings = kafkaSettingsFromEnv(process.env, 'policy-race')
const backoff = { kind: 'fixed', ms: 20 } as const
const policies: Record<string, RetryPolicy> = {
  park: { kind: 'park', backoff, ownAttempts: 3, passingAttempts: 'forever' },
  skip: { kind: 'skip', backoff, ownAttempts: 3, passingAttempts: 'forever' },
  tiers: { kind: 'tiers', backoff, ownAttempts: 1, passingAttempts: 'forever' },
}
const tiers: readonly RetryTier[] = [1_000, 2_000].map((delayMs) => ({
  topic: `${RUN}-retry-${delayMs}`,
  delayMs,
}))

let bus: EventBus
let database: TestDatabase

beforeAll(async () => {
  const topic = (name: string): Topic => ({
    ...{
      name,
      key: 'room',
      producers: [],
      consumers: [],
      partitions: 4,
      retentionMs: 3_600_000,
      describe: '',
    },
  })
  const names = [TOPIC, dlqOf(TOPIC), ...tiers.map((tier) => tier.topic)]
  await ensureTopics(settings, { replication: 1, topics: names.map(topic) })
  bus = kafkaEventBus(settings)
  database = await testDatabase()
  await database.pool.query(
    'CREATE TABLE lab.applied (id bigint GENERATED ALWAYS AS IDENTITY, policy text, room text, seq int)',
  )
})
afterAll(async () => {
  await bus?.close()
  await database?.end()
})

/** What a consumer was sent, as the checker wants it: everything acknowledged, each message under its seq. */
const sent: { room: string; seq: number }[] = []
const commandOf = ({ room, seq }: { room: string; seq: number }) => `${room}/${seq}`

function historyOf(policy: string, reads: readonly { room: string; seq: number }[]): History {
  return {
    sends: sent.map(({ room, seq }) => ({
      ...{
        actor: 'user:a',
        device: 'one',
        command: commandOf({ room, seq }),
        room,
        text: 'text',
        order: seq,
      },
      outcome: { kind: 'acked', seq },
    })),
    reads: reads.map(({ room, seq }) => ({
      ...{ observer: policy, room, seq, id: commandOf({ room, seq }), actor: 'user:a' },
      ...{ command: commandOf({ room, seq }), chain: String(seq), prevchain: String(seq - 1) },
      ...{ genuine: true, text: 'text' },
    })),
    observers: [...new Set(sent.map(({ room }) => room))].map((room) => ({
      observer: policy,
      room,
      from: 1,
    })),
  }
}

/** A projection that writes down what it applies, in order, in the transaction that also parks. */
function projection(name: string, broken: () => boolean) {
  const store = postgresParkedStore(database.pool, `${RUN}-${name}`)
  const handle = async (records: readonly IncomingRecord[], tx: Tx) => {
    const seqs = records.map(({ value }) => Number(value.toString()))
    const poisoned = records.some(({ key }, i) => key === ROOM && seqs[i] === POISON)
    if (poisoned && broken()) throw new Error('a bug in the path of this record')
    await tx.query(
      `INSERT INTO lab.applied (policy, room, seq) SELECT $1, r.room, r.seq
       FROM unnest($2::text[], $3::int[]) WITH ORDINALITY AS r (room, seq, place) ORDER BY r.place`,
      [name, records.map(({ key }) => key), seqs],
    )
  }
  return parking({ group: `${RUN}-${name}`, store, handle })
}

async function applied(policy: string): Promise<{ room: string; seq: number }[]> {
  const { rows } = await database.pool.query<{ room: string; seq: number }>(
    'SELECT room, seq FROM lab.applied WHERE policy = $1 ORDER BY id',
    [policy],
  )
  return rows
}

const found = ({ anomalies }: Report) =>
  Object.fromEntries(
    Object.entries(anomalies).flatMap(([name, of]) => (of.length > 0 ? [[name, of.length]] : [])),
  )

test('park keeps the order of a poisoned key and holds up nobody else; skip and tiers break it on the same input', async () => {
  let broken = true
  const deadLetters = await bus.publisher()
  const parkings = Object.fromEntries(
    Object.keys(policies).map((name) => [name, projection(name, () => broken)]),
  )
  for (const [name, policy] of Object.entries(policies)) {
    const made = parkings[name]!
    const consumer = await bus.consume({
      ...{ group: `${RUN}-${name}`, topics: [TOPIC], start: 'committed', maxBatch: 100, policy, deadLetters },
      ...{ handler: made.handler, parking: made.space, ...(name === 'tiers' && { tiers }) },
    })
    await consumer.ready
  }
  for (let i = 0; i < IN_ROOM; i++) {
    sent.push({ room: ROOM, seq: i + 1 })
    const nth = Math.floor(i / OTHERS)
    if (nth < IN_OTHERS) sent.push({ room: `room:${i % OTHERS}`, seq: nth + 1 })
  }
  const publisher = await bus.publisher()
  await publisher.publish(
    sent.map(({ room, seq }) => ({ topic: TOPIC, key: room, value: String(seq), headers: {} })),
  )

  const inRoom = async (policy: string) => (await applied(policy)).filter(({ room }) => room === ROOM).length
  const elsewhere = async (policy: string) => (await applied(policy)).length - (await inRoom(policy))
  const within = { timeout: 30_000 }
  // Park: everybody else is through while the room waits from the poison on.
  await expect.poll(() => elsewhere('park'), within).toBe(OTHERS * IN_OTHERS)
  await expect.poll(async () => (await parkings.park!.plan()).records, within).toBe(IN_ROOM - POISON + 1)
  expect(await inRoom('park')).toBe(POISON - 1)
  // The others go on without it.
  await expect.poll(() => inRoom('skip'), within).toBe(IN_ROOM - 1)
  await expect.poll(() => inRoom('tiers'), within).toBe(IN_ROOM - 1)

  broken = false
  const redriven = await parkings.park!.redrive({}, { perSecond: 2_000 })
  expect(redriven).toEqual({ handled: IN_ROOM - POISON + 1, freed: [ROOM], failed: [], cancelled: false })
  await expect.poll(() => inRoom('tiers'), within).toBe(IN_ROOM)

  const reports: Record<string, Report> = {}
  for (const name of Object.keys(policies)) reports[name] = check(historyOf(name, await applied(name)))
  for (const [name, report] of Object.entries(reports)) console.log(`${name}: ${printReport(report)}`)
  expect(found(reports.park!)).toEqual({})
  expect(found(reports.skip!)).toEqual({ lost: 1, gaps: 1 })
  expect(reports.skip!.anomalies.lost[0]?.what).toContain(commandOf({ room: ROOM, seq: POISON }))
  expect(found(reports.tiers!)).toEqual({ outOfOrder: 1 })
  expect(reports.tiers!.anomalies.outOfOrder[0]?.what).toContain(`${ROOM} ${POISON}`)
})
