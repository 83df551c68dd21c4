import { expect, test } from 'vitest'
import type { IncomingRecord } from '../src/types.ts'
import { type BusHarness, byKey, consume, keysOfPartitions, record, text } from './harness.ts'

/** What is published arrives, in order, and bounds hold. */
export function deliveryContract(harness: () => BusHarness): void {
  test('a consumer gets every record, once without faults, and those of a key in the order published', async () => {
    const h = harness()
    const topic = await h.newTopic(4)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const got: IncomingRecord[] = []
    await consume(h, bus, topic, async (records) => void got.push(...records))
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
    const h = harness()
    const topic = await h.newTopic(1)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const got: IncomingRecord[] = []
    const before = h.scheduler.now()
    await consume(h, bus, topic, async (records) => void got.push(...records))
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

  test('a consumer that starts at the end misses nothing sent after ready, and gets nothing from before', async () => {
    const h = harness()
    const topic = await h.newTopic(4)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    await h.wait(publisher.publish(Array.from({ length: 40 }, (_, i) => record(topic, `k${i}`, 'old'))))
    for (let round = 0; round < 5; round++) {
      const got: string[] = []
      const consumer = await consume(h, bus, topic, async (records) => void got.push(...records.map(text)), {
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
    const h = harness()
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
      h,
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

  test('a full queue refuses at once; what was accepted is appended', async () => {
    const h = harness()
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
    const h = harness()
    const topic = await h.newTopic(1)
    const publisher = await h.newBus().publisher()
    const lost = publisher.publish([record('no.such.topic', 'k', 'x')])
    const fine = publisher.publish([record(topic, 'k', 'y')])
    await expect(h.wait(lost)).rejects.toMatchObject({ code: 'server.unavailable' })
    await h.wait(fine)
    expect((await h.read(topic)).map(text)).toEqual(['y'])
  })
}
