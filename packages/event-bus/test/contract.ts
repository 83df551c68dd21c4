import { deadLetterHeaders, dlqOf, KlatschError } from '@klatsch/contracts'
import { pause, type Scheduler } from '@klatsch/streams'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type BatchHandler,
  type Consumer,
  type ConsumerOptions,
  type EventBus,
  type IncomingRecord,
  type OutgoingRecord,
  PassingFault,
} from '../src/types.ts'

/** What the suite needs of a bus under test. One harness serves one test. */
export interface BusHarness {
  /** A fresh topic and its dead letters, made with as many partitions. */
  newTopic(partitions: number): Promise<string>
  /** A bus as another process would have it. */
  newBus(): EventBus
  readonly scheduler: Scheduler
  /** Lets time go by until the condition holds; fails after a while. */
  until(done: () => boolean, what: string): Promise<void>
  /** Lets time go by until the promise is settled. */
  wait<T>(promise: Promise<T>): Promise<T>
  /** Every record of a topic, in order within a partition. */
  read(topic: string): Promise<readonly IncomingRecord[]>
  /** Sets the committed offset of partition 0 for a group without members. */
  commit(group: string, topic: string, offset: bigint): Promise<void>
  end(): Promise<void>
}

let groups = 0
const newGroup = (): string => `test-${process.pid}-${Date.now().toString(36)}-${++groups}`

const record = (topic: string, key: string, value: string | Buffer): OutgoingRecord => ({
  topic,
  key,
  value,
  headers: {},
})
const text = (r: IncomingRecord): string => r.value.toString()
const byKey = (records: readonly IncomingRecord[]): Map<string, string[]> => {
  const found = new Map<string, string[]>()
  for (const r of records) found.set(r.key, [...(found.get(r.key) ?? []), text(r)])
  return found
}

/** A key for each partition of a topic of `count` partitions, found by asking the log. */
async function keysOfPartitions(h: BusHarness, topic: string, count: number): Promise<string[]> {
  const publisher = await h.newBus().publisher()
  const keys = Array.from({ length: count * 20 }, (_, i) => `key-${i}`)
  await h.wait(publisher.publish(keys.map((key) => record(topic, key, 'probe'))))
  const found: string[] = []
  for (const r of await h.read(topic)) found[r.partition] ??= r.key
  expect(found.filter(Boolean)).toHaveLength(count)
  return found
}

/** The suite both buses pass. */
export function busContract(makeHarness: () => Promise<BusHarness>): void {
  let h: BusHarness

  beforeEach(async () => {
    h = await makeHarness()
  })
  afterEach(() => h.end())

  async function consume(
    bus: EventBus,
    topic: string,
    handler: BatchHandler,
    options: Partial<ConsumerOptions> = {},
  ): Promise<Consumer> {
    const consumer = await bus.consume({
      group: newGroup(),
      topics: [topic],
      start: 'committed',
      handler,
      ...options,
    })
    await h.wait(consumer.ready)
    return consumer
  }

  test('a consumer gets every record, once without faults, and those of a key in the order published', async () => {
    const topic = await h.newTopic(4)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const got: IncomingRecord[] = []
    await consume(bus, topic, async (records) => void got.push(...records))
    const acks: Promise<void>[] = []
    for (let i = 0; i < 1_000; i += 5) {
      acks.push(
        publisher.publish([0, 1, 2, 3, 4].map((j) => record(topic, `key-${(i + j) % 20}`, String(i + j)))),
      )
    }
    await h.wait(Promise.all(acks))
    await h.until(() => got.length >= 1_000, 'all records')
    expect(got).toHaveLength(1_000)
    for (const [key, values] of byKey(got)) {
      const number = Number(key.slice(4))
      expect(values).toEqual(Array.from({ length: 50 }, (_, i) => String(number + 20 * i)))
    }
  })

  test('key, bytes and headers of a record arrive as they were sent', async () => {
    const topic = await h.newTopic(1)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const got: IncomingRecord[] = []
    const before = h.scheduler.now()
    await consume(bus, topic, async (records) => void got.push(...records))
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    await h.wait(publisher.publish([{ topic, key: 'schlüssel', value, headers: { a: '1', ü: 'ö' } }]))
    await h.until(() => got.length === 1, 'the record')
    expect(got[0]).toMatchObject({
      topic,
      partition: 0,
      offset: '0',
      key: 'schlüssel',
      headers: { a: '1', ü: 'ö' },
    })
    expect(got[0]!.value.equals(value)).toBe(true)
    expect(Math.abs(got[0]!.timestamp - before)).toBeLessThan(60_000)
  })

  test('a group goes on where it was: what was handled before close does not come again', async () => {
    const topic = await h.newTopic(3)
    const group = newGroup()
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const first: string[] = []
    const one = await consume(bus, topic, async (records) => void first.push(...records.map(text)), { group })
    await h.wait(publisher.publish(Array.from({ length: 60 }, (_, i) => record(topic, `k${i}`, `a${i}`))))
    await h.until(() => first.length === 60, 'the first records')
    await h.wait(one.close())
    await h.wait(publisher.publish(Array.from({ length: 30 }, (_, i) => record(topic, `k${i}`, `b${i}`))))
    const second: string[] = []
    await consume(h.newBus(), topic, async (records) => void second.push(...records.map(text)), { group })
    await h.until(() => second.length >= 30, 'the others')
    expect(second.sort()).toEqual(Array.from({ length: 30 }, (_, i) => `b${i}`).sort())
  })

  test('a consumer that starts at the end misses nothing sent after ready, and gets nothing from before', async () => {
    const topic = await h.newTopic(4)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    await h.wait(publisher.publish(Array.from({ length: 40 }, (_, i) => record(topic, `k${i}`, 'old'))))
    for (let round = 0; round < 5; round++) {
      const got: string[] = []
      const consumer = await consume(bus, topic, async (records) => void got.push(...records.map(text)), {
        start: 'end',
      })
      await h.wait(
        publisher.publish(Array.from({ length: 40 }, (_, i) => record(topic, `k${i}`, `${round}/${i}`))),
      )
      await h.until(() => got.length >= 40, 'what was sent after ready')
      expect(got.sort()).toEqual(Array.from({ length: 40 }, (_, i) => `${round}/${i}`).sort())
      await h.wait(consumer.close())
    }
  })

  test('a handler that takes long in one partition does not hold up another', async () => {
    const topic = await h.newTopic(2)
    const keys = await keysOfPartitions(h, topic, 2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const got: string[] = []
    await consume(
      bus,
      topic,
      async (records, { partition }) => {
        if (partition === 0) await gate
        got.push(...records.map(text))
      },
      { start: 'end' },
    )
    await h.wait(publisher.publish([record(topic, keys[0]!, 'slow')]))
    for (let i = 0; i < 5; i++) {
      await h.wait(publisher.publish([record(topic, keys[1]!, `fast ${i}`)]))
      await h.until(() => got.includes(`fast ${i}`), `fast ${i}`)
    }
    expect(got).not.toContain('slow')
    release()
    await h.until(() => got.includes('slow'), 'slow')
  })

  test('a passing fault blocks its partition only: the same records again, in place, while the membership lasts', async () => {
    const topic = await h.newTopic(2)
    const keys = await keysOfPartitions(h, topic, 2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const until = h.scheduler.now() + 8_000
    const tries: { at: number; values: string[]; attempt: number }[] = []
    const got: string[] = []
    let assigned = 0
    const consumer = await consume(
      bus,
      topic,
      async (records, { partition, attempt }) => {
        if (partition === 0) tries.push({ at: h.scheduler.now(), values: records.map(text), attempt })
        if (partition === 0 && h.scheduler.now() < until) throw new PassingFault('the database is away')
        got.push(...records.map(text))
      },
      { start: 'end', onAssigned: async () => void assigned++ },
    )
    await h.wait(publisher.publish([record(topic, keys[0]!, 'a'), record(topic, keys[0]!, 'b')]))
    await h.until(() => tries.length > 0, 'a try')
    await h.until(() => consumer.state.kind === 'struggling', 'to say so')
    expect(consumer.state).toMatchObject({ reason: expect.stringContaining('the database is away') })
    await h.wait(publisher.publish([record(topic, keys[1]!, 'other')]))
    await h.until(() => got.includes('other'), 'the other partition')
    await h.until(() => got.includes('b'), 'the blocked partition')
    await h.until(() => consumer.state.kind === 'running', 'to be well again')
    const seen = tries.map(({ values }) => values.join())
    expect(new Set(seen.filter((values) => values !== 'b')).size).toBe(1)
    expect(tries.slice(0, 3).map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    expect(got.filter((value) => value !== 'other')).toEqual(['a', 'b'])
    expect(tries.length).toBeLessThan(40)
    expect(assigned).toBe(2)
  })

  test('a record that fails by itself goes to the dead letters with its reason; its neighbours are handled in order', async () => {
    const topic = await h.newTopic(1)
    const group = newGroup()
    const bus = h.newBus()
    const publisher = await bus.publisher()
    await h.wait(
      publisher.publish(
        Array.from({ length: 10 }, (_, i) => ({
          topic,
          key: 'k',
          value: i === 4 ? Buffer.from([0xff, 0x00, 4]) : String(i),
          headers: { traceparent: `trace ${i}` },
        })),
      ),
    )
    const got: string[] = []
    const told: string[] = []
    await consume(
      bus,
      topic,
      async (records) => {
        if (records.some((r) => r.value[0] === 0xff)) throw new KlatschError('command.invalid', 'not JSON')
        got.push(...records.map(text))
      },
      {
        group,
        deadLetters: await bus.publisher(),
        onDeadLetter: async ({ record: r }) => void told.push(r.offset),
      },
    )
    await h.until(() => got.includes('9'), 'the records after it')
    expect(got).toEqual(['0', '1', '2', '3', '5', '6', '7', '8', '9'])
    expect(told).toEqual(['4'])
    const [letter, ...more] = await h.read(dlqOf(topic))
    expect(more).toEqual([])
    expect(letter).toMatchObject({ key: 'k', headers: { traceparent: 'trace 4' } })
    expect(letter!.value.equals(Buffer.from([0xff, 0x00, 4]))).toBe(true)
    const header = letter!.headers
    expect(header[deadLetterHeaders.topic]).toBe(topic)
    expect(header[deadLetterHeaders.partition]).toBe('0')
    expect(header[deadLetterHeaders.offset]).toBe('4')
    expect(header[deadLetterHeaders.group]).toBe(group)
    expect(header[deadLetterHeaders.code]).toBe('command.invalid')
    expect(header[deadLetterHeaders.error]).toBe('not JSON')
    expect(Number(header[deadLetterHeaders.attempts])).toBeGreaterThanOrEqual(1)
    const first = Date.parse(header[deadLetterHeaders.firstFailedAt]!)
    const last = Date.parse(header[deadLetterHeaders.lastFailedAt]!)
    expect(first).toBeGreaterThan(0)
    expect(last).toBeGreaterThanOrEqual(first)
  })

  test('a record that fails by itself and has nowhere to go stops the consumer, and is not passed by', async () => {
    const topic = await h.newTopic(1)
    const group = newGroup()
    const bus = h.newBus()
    await h.wait((await bus.publisher()).publish([record(topic, 'k', 'good'), record(topic, 'k', 'bad')]))
    const handler: BatchHandler = async (records) => {
      if (records.some((r) => text(r) === 'bad')) throw new Error('a bug')
    }
    const consumer = await consume(bus, topic, handler, { group })
    await h.until(() => consumer.state.kind === 'stopped', 'to stop')
    expect(consumer.state).toMatchObject({ reason: expect.stringContaining('nowhere to go') })
    await h.wait(consumer.close())
    const got: string[] = []
    await consume(h.newBus(), topic, async (records) => void got.push(...records.map(text)), { group })
    await h.until(() => got.length > 0, 'the record')
    expect(got).toEqual(['bad'])
  })

  test('a full queue refuses at once; what was accepted is appended', async () => {
    const topic = await h.newTopic(1)
    const publisher = await h.newBus().publisher({ maxQueued: 10 })
    const taken = publisher.publish(Array.from({ length: 10 }, (_, i) => record(topic, 'k', String(i))))
    expect(publisher.queued).toBe(10)
    await expect(publisher.publish([record(topic, 'k', 'too much')])).rejects.toMatchObject({
      code: 'server.overloaded',
    })
    await h.wait(taken)
    expect(publisher.queued).toBe(0)
    await h.wait(publisher.publish([record(topic, 'k', 'later')]))
    expect((await h.read(topic)).map(text)).toEqual([
      ...Array.from({ length: 10 }, (_, i) => String(i)),
      'later',
    ])
  })

  test('a topic that is not there refuses its own records only', async () => {
    const topic = await h.newTopic(1)
    const publisher = await h.newBus().publisher()
    const lost = publisher.publish([record('no.such.topic', 'k', 'x')])
    const fine = publisher.publish([record(topic, 'k', 'y')])
    await expect(h.wait(lost)).rejects.toMatchObject({ code: 'server.unavailable' })
    await h.wait(fine)
    expect((await h.read(topic)).map(text)).toEqual(['y'])
  })

  test('onAssigned comes before the first record, idle between batches, and neither beside the handler', async () => {
    const topic = await h.newTopic(2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    await h.wait(publisher.publish(Array.from({ length: 20 }, (_, i) => record(topic, `k${i}`, 'x'))))
    const running = [0, 0]
    const log: string[][] = [[], []]
    const alone = async (what: string, partition: number, work: () => Promise<void>) => {
      expect(++running[partition]!).toBe(1)
      log[partition]!.push(what)
      await work()
      running[partition]!--
    }
    let failed = false
    await consume(bus, topic, (_, { partition }) => alone('batch', partition, () => pause(h.scheduler, 30)), {
      maxBatch: 2,
      onAssigned: (_, partition) =>
        alone('assigned', partition, async () => {
          await pause(h.scheduler, 20)
          if (failed || partition === 1) return
          failed = true
          running[partition]!--
          throw new PassingFault('not yet')
        }),
      idle: { everyMs: 50, run: (_, partition) => alone('idle', partition, () => pause(h.scheduler, 20)) },
    })
    await h.until(() => log.every((seen) => seen.filter((what) => what === 'idle').length >= 4), 'idle calls')
    expect(log[0]!.slice(0, 2)).toEqual(['assigned', 'assigned'])
    expect(log[1]![0]).toBe('assigned')
    for (const seen of log) expect(seen.filter((what) => what === 'batch').length).toBeGreaterThan(2)
  })

  test('when members come and go nothing is lost, and no partition is worked on twice at a time', async () => {
    const topic = await h.newTopic(6)
    const group = newGroup()
    const publisher = await h.newBus().publisher()
    const got: IncomingRecord[] = []
    const busy = new Map<number, string>()
    let clashes = 0
    const member = async (name: string): Promise<Consumer> => {
      const consumer = await h.newBus().consume({
        group,
        topics: [topic],
        start: 'committed',
        maxBatch: 20,
        handler: async (records, { partition }) => {
          if (busy.has(partition)) clashes++
          busy.set(partition, name)
          await pause(h.scheduler, 60)
          busy.delete(partition)
          got.push(...records)
        },
      })
      await h.wait(consumer.ready)
      return consumer
    }
    let sent = 0
    let sending = true
    const load = (async () => {
      while (sending) {
        await publisher.publish(
          Array.from({ length: 30 }, () => record(topic, `key-${sent % 30}`, String(sent++))),
        )
        await pause(h.scheduler, 40)
      }
    })()
    const some = async (): Promise<void> => {
      const before = got.length
      await h.until(() => got.length > before + 200, 'more records')
    }
    const one = await member('one')
    await some()
    const two = await member('two')
    await some()
    await h.wait(two.close())
    await some()
    const three = await member('three')
    await some()
    await h.wait(one.close())
    await some()
    sending = false
    await h.wait(load)
    await h.until(() => new Set(got.map(text)).size === sent, 'every record')
    expect(clashes).toBe(0)
    // All of these members left or shared in an orderly way: positions were handed over, so nothing came twice.
    expect(got).toHaveLength(sent)
    for (const values of byKey(got).values()) {
      expect(values.map(Number)).toEqual(values.map(Number).sort((a, b) => a - b))
    }
    await h.wait(three.close())
  })

  test('a committed offset outside the log stops the consumer loudly', async () => {
    const topic = await h.newTopic(1)
    const group = newGroup()
    const bus = h.newBus()
    await h.wait((await bus.publisher()).publish([record(topic, 'k', 'x')]))
    await h.commit(group, topic, 1_000n)
    let handled = 0
    const consumer = await bus.consume({
      group,
      topics: [topic],
      start: 'committed',
      handler: async () => void handled++,
    })
    await expect(h.wait(consumer.ready)).rejects.toThrow('out of range 0..1')
    expect(consumer.state).toMatchObject({ kind: 'stopped', reason: expect.stringContaining('1000') })
    expect(handled).toBe(0)
  })

  test('lag is known and goes down to nothing', async () => {
    const topic = await h.newTopic(2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    let open = false
    const consumer = await consume(bus, topic, async () => {
      if (!open) throw new PassingFault('closed')
    })
    await h.wait(publisher.publish(Array.from({ length: 20 }, (_, i) => record(topic, `k${i}`, 'x'))))
    await h.until(() => consumer.lag === 20, 'the lag')
    open = true
    await h.until(() => consumer.lag === 0, 'no lag')
  })

  test('closing lets a running handler finish and keeps what it did', async () => {
    const topic = await h.newTopic(1)
    const group = newGroup()
    const bus = h.newBus()
    await h.wait((await bus.publisher()).publish([record(topic, 'k', 'x')]))
    let started = false
    let aborted = false
    const consumer = await consume(
      bus,
      topic,
      async (_, { signal }) => {
        started = true
        await pause(h.scheduler, 300)
        aborted = signal.aborted
      },
      { group },
    )
    await h.until(() => started, 'the handler')
    await h.wait(consumer.close())
    expect(aborted).toBe(true)
    expect(consumer.state.kind).toBe('stopped')
    const again: string[] = []
    const next = await consume(h.newBus(), topic, async (records) => void again.push(...records.map(text)), {
      group,
    })
    await h.wait((await bus.publisher()).publish([record(topic, 'k', 'y')]))
    await h.until(() => again.length > 0, 'the next record')
    expect(again).toEqual(['y'])
    await h.wait(next.close())
  })
}
