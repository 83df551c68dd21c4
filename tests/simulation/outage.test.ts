import { KlatschError } from '@klatsch/contracts'
import { memoryEventBus, PassingFault } from '@klatsch/event-bus'
import { circuitBreaker } from '@klatsch/service-kit'
import { pause } from '@klatsch/streams'
import { type Simulation, simulatedScheduler } from '@klatsch/streams/simulation'
import { describe, expect, test } from 'vitest'

const TOPIC = 'commands'
const PARTITIONS = 12
const AWAY_MS = 60_000
/** People who look something up, whatever answers they get. */
const READS_PER_SECOND = 300

/** A database that refuses connections for a minute, and counts who knocks, by second since it went away. */
function database(world: Simulation) {
  const knocks = new Map<number, number>()
  const began = world.now()
  const second = () => Math.floor((world.now() - began) / 1_000)
  return {
    second,
    in: (from: number, to: number) => Array.from({ length: to - from }, (_, i) => knocks.get(from + i) ?? 0),
    async connect(): Promise<void> {
      knocks.set(second(), (knocks.get(second()) ?? 0) + 1)
      await pause(world, 1 + world.random() * 4)
      if (world.now() - began < AWAY_MS) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    },
  }
}

/** Commands in twelve partitions and reads, over a minute without the database and ten seconds after. */
async function outage(seed: number, guarded: boolean) {
  const world = simulatedScheduler(seed)
  const bus = memoryEventBus({ scheduler: world, random: world.random, topics: { [TOPIC]: PARTITIONS } })
  const publisher = await bus.publisher()
  const postgres = database(world)
  const breaker = circuitBreaker('the database', { now: world.now, random: world.random })
  const ask = () => (guarded ? breaker.run(postgres.connect) : postgres.connect())
  let handled = 0
  let recoveredMs = 0
  await bus.consume({
    group: 'chat',
    topics: [TOPIC],
    start: 'committed',
    handler: async (records) => {
      await ask().catch((cause: unknown) => {
        throw cause instanceof KlatschError ? cause : new PassingFault('the database', { cause })
      })
      handled += records.length
    },
  })
  const records = 20 * PARTITIONS
  void publisher.publish(
    Array.from({ length: records }, (_, i) => ({ topic: TOPIC, key: `k${i}`, value: 'v', headers: {} })),
  )
  const waits: number[] = []
  const read = () => {
    ask().catch((error: unknown) => {
      if (error instanceof KlatschError && error.retryAfterMs !== undefined) waits.push(error.retryAfterMs)
    })
    world.after(1_000 / READS_PER_SECOND, read)
  }
  if (READS_PER_SECOND > 0) read()
  await world.runUntil(() => {
    if (handled < records) recoveredMs = world.now()
    return postgres.second() >= 70
  })
  const away = postgres.in(5, 60)
  return {
    handled: handled === records,
    awayMax: Math.max(...away),
    awayMean: away.reduce((sum, n) => sum + n, 0) / away.length,
    back: postgres.in(60, 63),
    longestWait: Math.max(0, ...waits),
    recoveredMs: recoveredMs - (world.now() - 70_000) - AWAY_MS,
  }
}

describe('a database that is away for a minute', () => {
  test('is knocked at by few, before and when it comes back, and everything goes on within seconds', async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { handled, awayMax, awayMean, back, longestWait, recoveredMs } = await outage(seed, true)
      console.log(
        `breaker: ${awayMean.toFixed(1)} attempts/s while away (most ${awayMax}), ${back} in the seconds after, ` +
          `commands whole again after ${Math.round(recoveredMs)} ms`,
      )
      expect(handled).toBe(true)
      expect(awayMax).toBeLessThanOrEqual(4)
      expect(longestWait).toBeLessThanOrEqual(6_000)
      expect(recoveredMs).toBeLessThan(10_000)
      // Those who ask: the reads, and each partition once or twice.
      for (const count of back) expect(count).toBeLessThanOrEqual(READS_PER_SECOND + 3 * PARTITIONS)
    }
  })

  test('without the breaker every read knocks, all the time', async () => {
    const { awayMean, handled } = await outage(1, false)
    console.log(`no breaker: ${awayMean.toFixed(1)} attempts/s while away`)
    expect(handled).toBe(true)
    expect(awayMean).toBeGreaterThan(READS_PER_SECOND * 0.9)
  })
})
