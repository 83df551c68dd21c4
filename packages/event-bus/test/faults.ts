import { deadLetterHeaders, dlqOf, KlatschError } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { PassingFault } from '../src/policies/fault.ts'
import type { BatchHandler } from '../src/types.ts'
import { type BusHarness, consume, keysOfPartitions, newGroup, record, text } from './harness.ts'

/** What fails blocks what it must and nothing else. */
export function faultContract(harness: () => BusHarness): void {
  test('a passing fault blocks its partition only: the same records again, in place, while the membership lasts', async () => {
    const h = harness()
    const topic = await h.newTopic(2)
    const keys = await keysOfPartitions(h, topic, 2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const until = h.scheduler.now() + 8_000
    const tries: { at: number; values: string[]; attempt: number }[] = []
    const got: string[] = []
    let assigned = 0
    const consumer = await consume(
      h,
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
    const h = harness()
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
      h,
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
    const h = harness()
    const topic = await h.newTopic(1)
    const group = newGroup()
    const bus = h.newBus()
    await h.wait((await bus.publisher()).publish([record(topic, 'k', 'good'), record(topic, 'k', 'bad')]))
    const handler: BatchHandler = async (records) => {
      if (records.some((r) => text(r) === 'bad')) throw new Error('a bug')
    }
    const consumer = await consume(h, bus, topic, handler, { group })
    await h.until(() => consumer.state.kind === 'stopped', 'to stop')
    expect(consumer.state).toMatchObject({ reason: expect.stringContaining('nowhere to go') })
    await h.wait(consumer.close())
    const got: string[] = []
    await consume(h, h.newBus(), topic, async (records) => void got.push(...records.map(text)), { group })
    await h.until(() => got.length > 0, 'the record')
    expect(got).toEqual(['bad'])
  })

  test('a committed offset outside the log stops the consumer loudly', async () => {
    const h = harness()
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
}
