import { pause } from '@klatsch/streams'
import { expect, test } from 'vitest'
import { PassingFault } from '../src/policies/fault.ts'
import type { Consumer, IncomingRecord } from '../src/types.ts'
import { type BusHarness, byKey, consume, newGroup, record, text } from './harness.ts'

/** Groups go on where they were, whoever comes and goes. */
export function membershipContract(harness: () => BusHarness): void {
  test('a group goes on where it was: what was handled before close does not come again', async () => {
    const h = harness()
    const topic = await h.newTopic(3)
    const group = newGroup()
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const first: string[] = []
    const one = await consume(h, bus, topic, async (records) => void first.push(...records.map(text)), {
      group,
    })
    await h.wait(publisher.publish(Array.from({ length: 60 }, (_, i) => record(topic, `k${i}`, `a${i}`))))
    await h.until(() => first.length === 60, 'the first records')
    await h.wait(one.close())
    await h.wait(publisher.publish(Array.from({ length: 30 }, (_, i) => record(topic, `k${i}`, `b${i}`))))
    const second: string[] = []
    await consume(h, h.newBus(), topic, async (records) => void second.push(...records.map(text)), { group })
    await h.until(() => second.length >= 30, 'the others')
    expect(second.sort()).toEqual(Array.from({ length: 30 }, (_, i) => `b${i}`).sort())
  })

  test('onAssigned comes before the first record, idle between batches, and neither beside the handler', async () => {
    const h = harness()
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
    await consume(
      h,
      bus,
      topic,
      (_, { partition }) => alone('batch', partition, () => pause(h.scheduler, 30)),
      {
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
      },
    )
    await h.until(() => log.every((seen) => seen.filter((what) => what === 'idle').length >= 4), 'idle calls')
    expect(log[0]!.slice(0, 2)).toEqual(['assigned', 'assigned'])
    expect(log[1]![0]).toBe('assigned')
    for (const seen of log) expect(seen.filter((what) => what === 'batch').length).toBeGreaterThan(2)
  })

  test('when members come and go nothing is lost, and no partition is worked on twice at a time', async () => {
    const h = harness()
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

  test('lag is known and goes down to nothing', async () => {
    const h = harness()
    const topic = await h.newTopic(2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    let open = false
    const consumer = await consume(h, bus, topic, async () => {
      if (!open) throw new PassingFault('closed')
    })
    await h.wait(publisher.publish(Array.from({ length: 20 }, (_, i) => record(topic, `k${i}`, 'x'))))
    await h.until(() => consumer.lag === 20, 'the lag')
    open = true
    await h.until(() => consumer.lag === 0, 'no lag')
  })

  test('closing lets a running handler finish and keeps what it did', async () => {
    const h = harness()
    const topic = await h.newTopic(1)
    const group = newGroup()
    const bus = h.newBus()
    await h.wait((await bus.publisher()).publish([record(topic, 'k', 'x')]))
    let started = false
    let aborted = false
    const consumer = await consume(
      h,
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
    const next = await consume(
      h,
      h.newBus(),
      topic,
      async (records) => void again.push(...records.map(text)),
      {
        group,
      },
    )
    await h.wait((await bus.publisher()).publish([record(topic, 'k', 'y')]))
    await h.until(() => again.length > 0, 'the next record')
    expect(again).toEqual(['y'])
    await h.wait(next.close())
  })
}
