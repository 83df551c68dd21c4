import { KlatschError, type RetryPolicy } from '@klatsch/contracts'
import { pause } from '@klatsch/streams'
import { type SimulatedProcess, simulatedScheduler } from '@klatsch/streams/simulation'
import { expect, test } from 'vitest'
import { applyTo, type MemoryTx, memoryParkedStore, storeMemory } from '../../test/memory-parked-store.ts'
import { memoryEventBus } from '../memory/bus.ts'
import type { Consumer, IncomingRecord } from '../types.ts'
import { type Parking, parking } from './parking.ts'

const TOPIC = 'numbers'
const GROUP = 'projection'
const PARTITIONS = 3
const KEYS = 6
const PER_KEY = 25

const policy: RetryPolicy = {
  kind: 'park',
  backoff: { kind: 'full-jitter', baseMs: 20, capMs: 500 },
  ownAttempts: 2,
  passingAttempts: 'forever',
}

/**
 * Consumers that park, and a redrive, in a world where they freeze and are killed between any two steps, answers of the
 * store get lost, and two may own a partition. In the end every key has every value once, in the order sent.
 */
async function simulate(seed: number): Promise<{ parked: number; killed: number; redrives: number }> {
  const world = simulatedScheduler(seed)
  const { random } = world
  const bus = memoryEventBus({ scheduler: world, random, topics: { [TOPIC]: PARTITIONS }, maxFetch: 20 })
  const memory = storeMemory()
  memory.faults = { answerLost: random() * 0.15, away: random() * 0.02 }
  const poison = new Set<string>()
  for (let key = 0; key < KEYS; key++)
    if (random() < 0.6) poison.add(`${key}/${Math.floor(random() * PER_KEY)}`)
  let mostParked = 0
  const handle = async (records: readonly IncomingRecord[], tx: MemoryTx) => {
    for (const { value } of records)
      if (poison.has(value.toString())) throw new KlatschError('command.invalid')
    applyTo(records, tx)
  }
  const members: { process: SimulatedProcess; consumer: Consumer; parking: Parking }[] = []
  let started = 0
  let killed = 0
  let redrives = 0

  async function start(): Promise<void> {
    const process = world.process(`member-${++started}`)
    const store = memoryParkedStore(memory, process, random)
    const made = parking({ group: GROUP, store, handle, scheduler: process, random })
    const consumer = await bus.client(process).consume({
      ...{ group: GROUP, topics: [TOPIC], start: 'committed', policy },
      ...{ handler: made.handler, parking: made.space, maxBatch: 1 + Math.floor(random() * 15) },
    })
    members.push({ process, consumer, parking: made })
  }

  let chaos = true
  async function disturb(): Promise<void> {
    while (chaos) {
      await pause(world, random() * 3_000)
      if (!chaos) return
      const member = members[Math.floor(random() * members.length)]!
      switch (Math.floor(random() * 4)) {
        case 0:
          member.process.freeze()
          world.after(random() * 15_000, () => member.process.thaw())
          break
        case 1:
          member.process.kill()
          killed++
          members.splice(members.indexOf(member), 1)
          await start()
          break
        case 2:
          bus.faults.expel(member.consumer)
          break
        default:
          bus.faults.rebalance(GROUP)
      }
    }
  }

  /** Somebody redrives now and then, in parts, and not always to the end; the process may die with it. */
  async function redrive(): Promise<void> {
    while (chaos) {
      await pause(world, random() * 4_000)
      const { parking: made } = members[Math.floor(random() * members.length)]!
      const cancel = new AbortController()
      world.after(random() * 5_000, () => cancel.abort())
      redrives++
      const limit = random() < 0.5 ? { limit: 1 + Math.floor(random() * 10) } : {}
      made.redrive(limit, { perSecond: 1 + random() * 200, signal: cancel.signal }).catch(() => {})
    }
  }

  for (let i = 0; i < 1 + Math.floor(random() * 3); i++) await start()
  const publisher = await bus.publisher()
  const next = new Array<number>(KEYS).fill(0)
  const send = () => {
    const left = next.flatMap((n, key) => (n < PER_KEY ? [key] : []))
    if (left.length === 0) return
    const key = left[Math.floor(random() * left.length)]!
    void publisher.publish([
      { topic: TOPIC, key: `key-${key}`, value: `${key}/${next[key]!++}`, headers: {} },
    ])
    world.after(random() * 100, send)
  }
  send()
  void disturb()
  void redrive()
  const parked = () => [...memory.state.blocked.values()].reduce((sum, of) => sum + of.parked.length, 0)
  const end = world.now() + 20_000
  await world.runUntil(() => {
    mostParked = Math.max(mostParked, parked())
    return world.now() > end
  })
  poison.clear()
  await world.runFor(random() * 10_000)
  chaos = false
  const applied = () => [...memory.state.applied.values()].reduce((sum, values) => sum + values.length, 0)
  let running = false
  const rest = () => {
    const alive = members.find(({ process }) => process.state === 'running')
    if (running || !alive) return
    running = true
    const done = () => {
      running = false
    }
    alive.parking.redrive({}, { perSecond: 1_000 }).then(done, done)
  }
  const whole = await world.runUntil(() => {
    if (parked() > 0) rest()
    return applied() >= KEYS * PER_KEY && parked() === 0
  }, 600_000)
  expect(whole, `seed ${seed}: ${applied()} applied, ${parked()} parked`).toBe(true)
  await world.runFor(20_000)
  for (let key = 0; key < KEYS; key++) {
    const values = memory.state.applied.get(`key-${key}`)
    expect(values, `seed ${seed}`).toEqual(Array.from({ length: PER_KEY }, (_, i) => `${key}/${i}`))
  }
  expect(memory.state.blocked.size, `seed ${seed}`).toBe(0)
  return { parked: mostParked, killed, redrives }
}

test('whatever dies at whatever step: nothing parked is lost, doubled or out of the order of its key', async () => {
  const sum = { parked: 0, killed: 0, redrives: 0 }
  for (let seed = 1; seed <= 100; seed++) {
    const { parked, killed, redrives } = await simulate(seed)
    sum.parked += parked
    sum.killed += killed
    sum.redrives += redrives
  }
  // Otherwise the world was too kind to show anything.
  expect(sum.parked).toBeGreaterThan(1_000)
  expect(sum.killed).toBeGreaterThan(100)
  expect(sum.redrives).toBeGreaterThan(500)
}, 120_000)

test('a redrive of one record takes one, also when the answer to its commit is lost', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const world = simulatedScheduler(seed)
    const memory = storeMemory()
    const store = memoryParkedStore(memory, world, world.random)
    const handle = async (records: readonly IncomingRecord[], tx: MemoryTx) => applyTo(records, tx)
    const made = parking({ group: GROUP, store, handle, scheduler: world, random: world.random })
    const recordOf = (offset: number): IncomingRecord => ({
      ...{ topic: TOPIC, partition: 0, offset: String(offset), key: 'k', headers: {}, timestamp: 0 },
      value: Buffer.from(String(offset)),
    })
    const settled = async (work: Promise<unknown>) => {
      let done = false
      const over = () => {
        done = true
      }
      work.then(over, over)
      await world.runUntil(() => done)
      return work
    }
    const blocked = { code: 'c', error: 'e', attempts: 1, since: new Date(0) }
    await settled(
      store.transact(async (tx) => {
        await store.block(tx, 'k', blocked)
        await store.append(tx, [0, 1, 2, 3].map(recordOf))
      }),
    )
    memory.faults = { answerLost: 0.6 }
    for (let taken = 1; taken <= 4; taken++) {
      await settled(made.redrive({ limit: 1 }))
      expect(memory.state.applied.get('k'), `seed ${seed}`).toHaveLength(taken)
    }
    expect(memory.state.blocked.size).toBe(0)
  }
})
