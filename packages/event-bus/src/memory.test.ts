import { dlqOf } from '@klatsch/contracts'
import { pause } from '@klatsch/streams'
import { simulatedScheduler } from '@klatsch/streams/simulation'
import { describe, expect, test } from 'vitest'
import { busContract } from '../test/contract.ts'
import type { BusHarness } from '../test/harness.ts'
import { memoryEventBus } from './memory/bus.ts'
import type { EventBus } from './types.ts'

test('a member that is not heard any more begins nothing new once others may take over', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = simulatedScheduler(seed)
    const bus = memoryEventBus({ scheduler: world, random: world.random, topics: { t: 2 } })
    const publisher = await bus.publisher()
    const working = new Map<string, number>()
    const begun: string[] = []
    let clashes = 0
    const member = async (name: string) => {
      const consumer = await bus.client(world.process(name)).consume({
        group: 'g',
        topics: ['t'],
        start: 'committed',
        handler: async (records) => {
          for (const { partition } of records) if (working.get(`${partition}`)) clashes++
          const { partition } = records[0]!
          working.set(`${partition}`, 1)
          begun.push(name)
          await pause(world, 20)
          working.delete(`${partition}`)
        },
      })
      let ready = false
      void consumer.ready.then(() => {
        ready = true
      })
      await world.runUntil(() => ready)
      return consumer
    }
    const deaf = await member('deaf')
    await member('other')
    let load = true
    const send = () => {
      void publisher.publish([0, 1, 2, 3].map((i) => ({ topic: 't', key: `k${i}`, value: 'v', headers: {} })))
      if (load) world.after(50, send)
    }
    send()
    await world.runUntil(() => begun.includes('deaf') && begun.includes('other'))
    bus.faults.mute(deaf)
    await world.runFor(6_000)
    begun.length = 0
    await world.runFor(10_000)
    expect(new Set(begun), `seed ${seed}`).toEqual(new Set(['other']))
    expect(clashes, `seed ${seed}`).toBe(0)
    load = false
  }
})

/** The bus in memory in virtual time: a seed decides every order. */
async function memoryHarness(seed: number): Promise<BusHarness> {
  const world = simulatedScheduler(seed)
  const topics: Record<string, number> = {}
  const buses: EventBus[] = []
  const bus = memoryEventBus({ scheduler: world, random: world.random, topics })
  let made = 0
  const wait = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false
    const done = () => {
      settled = true
    }
    promise.then(done, done)
    if (!(await world.runUntil(() => settled))) throw new Error(`never settled (seed ${seed})`)
    return promise
  }
  return {
    scheduler: world,
    async newTopic(partitions) {
      const name = `topic-${++made}`
      bus.makeTopic(name, partitions)
      bus.makeTopic(dlqOf(name), partitions)
      return name
    },
    newBus() {
      const client = bus.client(world.process(`process-${buses.length}`))
      buses.push(client)
      return client
    },
    async until(done, what) {
      if (!(await world.runUntil(done, 120_000))) throw new Error(`waited in vain for ${what} (seed ${seed})`)
    },
    wait,
    read: async (topic) => bus.records(topic),
    commit: async (group, topic, offset) => bus.faults.commit(group, topic, 0, offset),
    end: () => wait(Promise.all(buses.map((one) => one.close())).then(() => {})),
  }
}

describe.each(Array.from({ length: 20 }, (_, i) => i + 1))('the bus in memory, seed %i', (seed) => {
  busContract(() => memoryHarness(seed))
})
