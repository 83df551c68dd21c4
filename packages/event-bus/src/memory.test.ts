import { dlqOf } from '@klatsch/contracts'
import { simulatedScheduler } from '@klatsch/streams/simulation'
import { describe } from 'vitest'
import { type BusHarness, busContract } from '../test/contract.ts'
import { memoryEventBus } from './memory/bus.ts'
import type { EventBus } from './types.ts'

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
