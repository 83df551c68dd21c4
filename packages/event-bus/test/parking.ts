import { KlatschError, type RetryPolicy } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { type Parking, parking } from '../src/parking/parking.ts'
import type { EventBus, IncomingRecord } from '../src/types.ts'
import { type BusHarness, consume, newGroup, record, text } from './harness.ts'
import { applyTo, type MemoryTx, memoryParkedStore, storeMemory } from './memory-parked-store.ts'
import { notes } from './policies.ts'

const policy: RetryPolicy = {
  kind: 'park',
  backoff: { kind: 'fixed', ms: 20 },
  ownAttempts: 2,
  passingAttempts: 'forever',
}

/** A consumer that applies values to a store in memory, and fails for those in `poison`. */
function projection(h: BusHarness, poison: Set<string>, maxParked?: number) {
  const memory = storeMemory()
  const attempts = notes()
  const group = newGroup()
  const store = memoryParkedStore(memory, h.scheduler, Math.random)
  const handle = async (records: readonly IncomingRecord[], tx: MemoryTx) => {
    const bad = records.find((r) => poison.has(text(r)))
    if (bad) throw new KlatschError('command.invalid', `cannot take ${text(bad)}`)
    applyTo(records, tx)
  }
  const made: Parking = parking({
    ...{ group, store, handle, attempts, scheduler: h.scheduler },
    ...(maxParked !== undefined && { maxParked }),
  })
  return {
    ...{ memory, attempts, made },
    start: (bus: EventBus, topic: string) =>
      consume(h, bus, topic, made.handler, { group, policy, parking: made.space, attempts, maxBatch: 7 }),
    applied: (key: string) => memory.state.applied.get(key) ?? [],
    parked: () => [...memory.state.blocked.values()].reduce((sum, { parked }) => sum + parked.length, 0),
  }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i))

/** What is parked waits in order, holds up nobody else, and comes back as it was sent. */
export function parkingContract(harness: () => BusHarness): void {
  test('park: what comes behind a record that fails waits, all other keys flow; the redrive keeps the order', async () => {
    const h = harness()
    const topic = await h.newTopic(2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const poison = new Set(['a 20'])
    const p = projection(h, poison)
    const consumer = await p.start(bus, topic)
    const send = (from: number, to: number) =>
      publisher.publish(
        numbers(from, to).flatMap((n) => ['a', 'b', 'c'].map((key) => record(topic, key, `${key} ${n}`))),
      )
    await h.wait(send(0, 50))
    await h.until(() => p.parked() === 30, 'the records behind')
    await h.until(() => p.applied('b').length === 50 && p.applied('c').length === 50, 'the others')
    await h.until(() => consumer.state.kind === 'running', 'nobody to be held up')
    expect(p.applied('a')).toEqual(numbers(0, 20).map((n) => `a ${n}`))

    const plan = await h.wait(p.made.plan())
    expect(plan.records).toBe(30)
    const { offset, partition } = (await h.read(topic)).find((r) => text(r) === 'a 20')!
    expect(plan.keys).toEqual([
      expect.objectContaining({
        ...{ key: 'a', records: 30, take: 30, code: 'command.invalid', error: 'cannot take a 20' },
        next: expect.objectContaining({ topic, partition, offset }),
      }),
    ])
    expect(p.parked()).toBe(30)

    const again = await h.wait(p.made.redrive())
    expect(again).toMatchObject({ handled: 0, freed: [], failed: [{ key: 'a', code: 'command.invalid' }] })
    expect(p.parked()).toBe(30)

    poison.clear()
    const redrive = h.wait(p.made.redrive({}, { perSecond: 200 }))
    await h.wait(send(50, 60))
    expect(await redrive).toMatchObject({ freed: ['a'], failed: [], cancelled: false })
    await h.until(() => p.applied('a').length === 60, 'all of them')
    for (const key of ['a', 'b', 'c'])
      expect(p.applied(key)).toEqual(numbers(0, 60).map((n) => `${key} ${n}`))
    expect(p.memory.state.blocked.size).toBe(0)
    await h.wait(send(60, 61))
    await h.until(() => p.applied('a').length === 61, 'the key to be free')
    const told = p.attempts.all.filter((a) => a.kind === 'parked' || a.kind === 'redriven')
    const sum = (kind: string) =>
      told.reduce((all, a) => (a.kind === kind && a.key === 'a' ? all + a.records : all), 0)
    expect(sum('parked')).toBe(sum('redriven'))
    expect(told.filter((a) => a.kind === 'parked' && a.code === 'command.invalid')).toHaveLength(1)
    expect(told.at(-1)).toMatchObject({ kind: 'redriven', freed: true, key: 'a' })
  })

  test('a redrive takes one record, some keys or all, as the dry run said; it can be cancelled, and goes on later', async () => {
    const h = harness()
    const topic = await h.newTopic(1)
    const bus = h.newBus()
    const poison = new Set(['a 0', 'b 0', 'c 0'])
    const p = projection(h, poison)
    await p.start(bus, topic)
    const records = numbers(0, 10).flatMap((n) =>
      ['a', 'b', 'c'].map((key) => record(topic, key, `${key} ${n}`)),
    )
    await h.wait((await bus.publisher()).publish(records))
    await h.until(() => p.parked() === 30, 'all to be parked')
    poison.clear()

    const one = { keys: ['b'], limit: 1 }
    expect(await h.wait(p.made.plan(one))).toMatchObject({ records: 1, keys: [{ key: 'b', take: 1 }] })
    expect(await h.wait(p.made.redrive(one))).toMatchObject({ handled: 1, freed: [] })
    expect(p.applied('b')).toEqual(['b 0'])
    expect(await h.wait(p.made.redrive({ keys: ['c', 'no such key'] }))).toMatchObject({
      handled: 10,
      freed: ['c'],
    })
    expect(p.applied('a')).toEqual([])
    const some = { limit: 12 }
    expect((await h.wait(p.made.plan(some))).keys.map(({ key, take }) => [key, take])).toEqual([
      ['a', 10],
      ['b', 2],
    ])

    const cancel = new AbortController()
    const begun = h.scheduler.now()
    const cancelled = await h.wait(
      p.made.redrive(
        {},
        { perSecond: 5, signal: cancel.signal, onProgress: (n) => void (n >= 10 && cancel.abort()) },
      ),
    )
    expect(cancelled).toMatchObject({ handled: 10, cancelled: true })
    // Five a second: the second five were not begun before a second was over.
    expect(h.scheduler.now() - begun).toBeGreaterThanOrEqual(950)
    expect(p.parked()).toBe(9)
    expect(await h.wait(p.made.redrive())).toMatchObject({ handled: 9, freed: ['b'] })
    for (const key of ['a', 'b', 'c'])
      expect(p.applied(key)).toEqual(numbers(0, 10).map((n) => `${key} ${n}`))
  })

  test('one more than may be parked blocks its partition; nothing is lost', async () => {
    const h = harness()
    const topic = await h.newTopic(1)
    const bus = h.newBus()
    const poison = new Set(['0'])
    const p = projection(h, poison, 10)
    const consumer = await p.start(bus, topic)
    await h.wait((await bus.publisher()).publish(numbers(0, 40).map((n) => record(topic, 'k', n))))
    const reason = () => (consumer.state.kind === 'struggling' ? consumer.state.reason : '')
    await h.until(() => reason().includes('10 records are parked'), 'to be full')
    expect(p.parked()).toBeLessThanOrEqual(10)
    poison.clear()
    await h.until(() => {
      void p.made.redrive({}, { perSecond: 10_000 })
      return p.applied('k').length === 40
    }, 'all')
    expect(p.applied('k')).toEqual(numbers(0, 40))
  })
}
