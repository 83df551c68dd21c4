import { setTimeout as sleep } from 'node:timers/promises'
import { dlqOf } from '@klatsch/contracts'
import { systemScheduler } from '@klatsch/streams'
import { afterAll, describe, expect, test } from 'vitest'
import { busContract } from '../test/contract.ts'
import type { BusHarness } from '../test/harness.ts'
import { adminHandle } from './kafka/admin.ts'
import { kafkaEventBus } from './kafka/bus.ts'
import { kafkaSettingsFromEnv } from './kafka/env.ts'
import { inspectTopics } from './kafka/inspect.ts'
import { readRange } from './kafka/read-range.ts'
import { createTopics, ensureTopics } from './kafka/topics.ts'
import type { EventBus, IncomingRecord } from './types.ts'

const settings = kafkaSettingsFromEnv(process.env, 'event-bus-test')
const admin = adminHandle(settings)
const run = `bus-${process.pid}-${Date.now().toString(36)}`
let made = 0

async function newTopic(partitions: number, config: Record<string, string> = {}): Promise<string> {
  const name = `${run}-${++made}`
  const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }))
  const topics = [name, dlqOf(name)].map((topic) => ({
    topic,
    numPartitions: partitions,
    replicationFactor: 1,
    configEntries,
  }))
  await createTopics(admin, topics)
  return name
}

async function until(done: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 40_000; !done(); await sleep(5)) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
  }
}

async function read(topic: string): Promise<IncomingRecord[]> {
  const found: IncomingRecord[] = []
  await readRange(settings, { topic, from: { kind: 'begin' } }, (record) => found.push(record))
  return found
}

async function kafkaHarness(): Promise<BusHarness> {
  const buses: EventBus[] = []
  return {
    scheduler: systemScheduler,
    newTopic,
    newBus() {
      const bus = kafkaEventBus(settings)
      buses.push(bus)
      return bus
    },
    until,
    wait: (promise) => promise,
    read,
    commit: (groupId, topic, offset) =>
      admin
        .run((a) => a.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: String(offset) }] }))
        .then(() => {}),
    end: async () => void (await Promise.all(buses.map((bus) => bus.close()))),
  }
}

afterAll(() => admin.close())

describe('the bus over Kafka', () => {
  busContract(kafkaHarness)
})

describe('topics', () => {
  const topic = (name: string, partitions: number) => ({
    name,
    partitions,
    key: 'k',
    producers: [],
    consumers: [],
    retentionMs: 3_600_000,
    describe: '',
  })

  test('are made once, as the registry says, and a changed partition count is refused', async () => {
    const name = `${run}-made`
    expect(await ensureTopics(settings, { replication: 1, topics: [topic(name, 3)] })).toEqual([name])
    expect(await ensureTopics(settings, { replication: 1, topics: [topic(name, 3)] })).toEqual([])
    const { resources } = await admin.run((a) =>
      a.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name }] }),
    )
    const config = new Map(resources[0]!.configEntries.map((entry) => [entry.configName, entry.configValue]))
    expect(config.get('retention.ms')).toBe('3600000')
    expect(config.get('message.timestamp.type')).toBe('LogAppendTime')
    await expect(ensureTopics(settings, { replication: 1, topics: [topic(name, 4)] })).rejects.toThrow(
      `the topic ${name} has 3 partitions where 4 are needed`,
    )
  })

  test('can be inspected and read by offset, by time and onward without a trace', async () => {
    const name = await newTopic(2)
    const bus = kafkaEventBus(settings)
    const publisher = await bus.publisher()
    const send = (from: number, to: number) =>
      publisher.publish(
        Array.from({ length: to - from }, (_, i) => ({
          topic: name,
          key: `k${i}`,
          value: String(from + i),
          headers: {},
        })),
      )
    await send(0, 50)
    const values = async (options: Parameters<typeof readRange>[1]) => {
      const found: number[] = []
      await readRange(settings, options, (record) => found.push(Number(record.value.toString())))
      return found.sort((a, b) => a - b)
    }
    expect(await values({ topic: name, from: { kind: 'begin' } })).toHaveLength(50)
    expect(await values({ topic: name, from: { kind: 'end' } })).toEqual([])
    const one = await values({
      topic: name,
      partition: 1,
      from: { kind: 'offset', offset: '3' },
      to: { kind: 'offset', offset: '7' },
    })
    expect(one).toHaveLength(4)
    const between = Date.now() + 1
    await until(() => Date.now() > between, 'the next millisecond')
    await send(50, 80)
    expect(await values({ topic: name, from: { kind: 'time', time: between } })).toHaveLength(30)
    expect(
      await values({ topic: name, from: { kind: 'begin' }, to: { kind: 'time', time: between } }),
    ).toHaveLength(50)
    const followed: string[] = []
    const enough = new AbortController()
    const following = readRange(
      settings,
      { topic: name, from: { kind: 'end' }, follow: true, signal: enough.signal },
      (record) => followed.push(record.value.toString()),
    )
    let sent = 80
    // Whether it follows already cannot be seen from outside: what comes later is enough.
    await until(() => {
      if (followed.length === 0) void send(sent, ++sent)
      return followed.length > 0
    }, 'what is appended later')
    enough.abort()
    await following
    const [report] = await inspectTopics(settings, [name])
    expect(report!.partitions.map(({ partition, begin }) => [partition, begin])).toEqual([
      [0, '0'],
      [1, '0'],
    ])
    expect(report!.groups).toEqual([])
    const { groups } = await admin.run((a) => a.listGroups())
    expect(groups.filter(({ groupId }) => groupId.startsWith('klatsch-read-'))).toEqual([])
    await expect(values({ topic: 'no.such.topic', from: { kind: 'begin' } })).rejects.toThrow(
      'there is no topic',
    )
    await bus.close()
  })
})

describe('a publisher', () => {
  test('refuses a record the broker takes too large, and not its neighbours', async () => {
    const topic = await newTopic(2, { 'max.message.bytes': '50000' })
    const bus = kafkaEventBus(settings)
    const publisher = await bus.publisher()
    const record = (key: string, value: string) => ({ topic, key, value, headers: {} })
    const results = await Promise.allSettled([
      publisher.publish([record('a', 'first')]),
      publisher.publish(Array.from({ length: 30 }, (_, i) => record(`k${i}`, `${i}${'.'.repeat(3_000)}`))),
      publisher.publish([record('a', 'x'.repeat(60_000))]),
      publisher.publish([record('a', 'last')]),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(results[2]).toMatchObject({ reason: { code: 'request.too_large' } })
    await expect(publisher.publish([record('a', 'y'.repeat(2_000_000))])).rejects.toMatchObject({
      code: 'request.too_large',
    })
    await publisher.publish([record('a', 'after')])
    const found = await read(topic)
    const ofA = found.filter(({ key }) => key === 'a').map(({ value }) => value.toString())
    expect([...new Set(ofA)]).toEqual(['first', 'last', 'after'])
    expect(new Set(found.map(({ value }) => value.toString())).size).toBe(33)
    await bus.close()
  })

  test('gives up at the time limit when the broker is away, and holds its bound', async () => {
    const bus = kafkaEventBus({ ...settings, brokers: ['127.0.0.1:1'] })
    const publisher = await bus.publisher({ timeoutMs: 300, maxQueued: 2 })
    const record = { topic: 't', key: 'k', value: 'v', headers: {} }
    const started = Date.now()
    const first = publisher.publish([record])
    const second = publisher.publish([record])
    await expect(publisher.publish([record])).rejects.toMatchObject({ code: 'server.overloaded' })
    await expect(first).rejects.toMatchObject({ code: 'server.unavailable' })
    await expect(second).rejects.toMatchObject({ code: 'server.unavailable' })
    expect(Date.now() - started).toBeLessThan(3_000)
    await bus.close()
  })
})

describe('a consumer', () => {
  test('whose offset falls out of range while it runs stops loudly', async () => {
    const topic = await newTopic(1)
    const bus = kafkaEventBus(settings)
    const publisher = await bus.publisher()
    const send = (n: number) =>
      publisher.publish(
        Array.from({ length: n }, (_, i) => ({ topic, key: 'k', value: `${i}`, headers: {} })),
      )
    await send(10)
    let handled = 0
    const consumer = await bus.consume({
      group: `${run}-range`,
      topics: [topic],
      start: 'committed',
      handler: async (records) => {
        handled += records.length
      },
    })
    await consumer.ready
    await until(() => handled === 10, 'the records')
    // The topic made anew: the positions everyone holds mean nothing any more.
    await admin.run((a) => a.deleteTopics({ topics: [topic] }))
    while ((await admin.run((a) => a.listTopics())).includes(topic)) await sleep(10)
    const anew = { topic, numPartitions: 1, replicationFactor: 1 }
    await createTopics(admin, [anew])
    await until(() => consumer.state.kind === 'stopped', 'to stop')
    expect(consumer.state).toMatchObject({ kind: 'stopped', reason: expect.stringContaining('range') })
    await bus.close()
  })

  test('closed at any moment leaves no member behind', async () => {
    const topic = await newTopic(3)
    const group = `${run}-coming-and-going`
    for (let round = 0; round < 15; round++) {
      const bus = kafkaEventBus(settings)
      const options = { group, topics: [topic], start: 'committed' as const, handler: async () => {} }
      const one = await bus.consume(options)
      const two = await bus.consume(options)
      await sleep(round * 20)
      const started = Date.now()
      await Promise.all([one.close(), two.close()])
      expect(Date.now() - started).toBeLessThan(8_000)
      await bus.close()
    }
    const members = async () =>
      (await admin.run((a) => a.describeGroups([group]))).groups[0]?.members.length ?? 0
    for (const end = Date.now() + 15_000; (await members()) > 0; await sleep(200)) {
      if (Date.now() > end) throw new Error('members are left')
    }
  })

  test('of a topic that is not there says so and stops', { timeout: 60_000 }, async () => {
    const bus = kafkaEventBus(settings)
    const consumer = await bus.consume({
      group: `${run}-missing`,
      topics: ['no.such.topic'],
      start: 'committed',
      handler: async () => {},
    })
    await expect(consumer.ready).rejects.toThrow('no.such.topic does not exist')
    expect(consumer.state.kind).toBe('stopped')
    await bus.close()
  })
})
