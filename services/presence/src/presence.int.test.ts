import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { presencePartitionOf, presenceTimes, topics } from '@klatsch/contracts'
import {
  type EventBus,
  ensureTopics,
  kafkaEventBus,
  kafkaSettingsFromEnv,
  type Publisher,
} from '@klatsch/event-bus'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventOf, type Instance, LiveGateway, spread, startInstance, type Told, until } from '../test/live.ts'
import { Receiver } from '../test/world.ts'

const PEOPLE = 200
const settings = kafkaSettingsFromEnv(process.env, 'presence-test')
const brokers = process.env.KAFKA_BROKERS ?? ''
const run = randomUUID().slice(0, 8)

let bus: EventBus
let publisher: Publisher
let instances: Instance[] = []
const gateways: LiveGateway[] = []
const receivers = Array.from({ length: topics.presenceEvents.partitions }, () => new Receiver())
/** Each state as it was told, with the time. */
const told: Told[] = []

const people = (count: number): string[] => Array.from({ length: count }, () => randomUUID())
const stateOf = (user: string) => receivers[presencePartitionOf(user)]!.state(user)
const all = (users: readonly string[], state: string) => users.every((user) => stateOf(user) === state)
const usersOf = (gateway: LiveGateway) => [...gateway.sessions.values()].map(({ user }) => user)
const offlineAt = (users: readonly string[], since: number) =>
  told.filter(({ user, state, at }) => state === 'offline' && at >= since && users.includes(user))

function gateway(name: string, count = PEOPLE): LiveGateway {
  const mine = new LiveGateway(publisher, `${name}-${run}`)
  gateways.push(mine)
  mine.open(people(count))
  return mine
}

/** The partitions that each instance owns, when all are settled. */
async function settled(): Promise<void> {
  await until('all partitions to be settled', 40_000, async () => {
    const owned = await Promise.all(instances.map((instance) => instance.gauge('partitions')))
    const open = await Promise.all(instances.map((instance) => instance.gauge('rebuilding')))
    return (
      owned.reduce((sum, n) => sum + n, 0) === topics.presenceSignals.partitions && open.every((n) => n === 0)
    )
  })
}

beforeAll(async () => {
  await ensureTopics(settings, { replication: 1 })
  bus = kafkaEventBus(settings)
  publisher = await bus.publisher()
  const consumer = await bus.consume({
    group: `presence-test-${run}`,
    topics: [topics.presenceEvents.name],
    start: 'end',
    handler: async (records, { partition }) => {
      const receiver = receivers[partition]!
      for (const record of records) {
        const event = eventOf(record)
        if (!event) continue
        const before = receiver.history.length
        receiver.take(event)
        for (const { user, state } of receiver.history.slice(before))
          told.push({ user, state, at: Date.now() })
        if (event.kind !== 'resync') continue
        for (const each of gateways) each.asked(partition, event.gateway, event.fenced)
      }
    },
  })
  await consumer.ready
  instances = await Promise.all([startInstance(brokers), startInstance(brokers)])
  gateway('one')
  gateway('two')
  gateway('three')
  await until('everyone to be online', 30_000, () => gateways.every((each) => all(usersOf(each), 'online')))
  await settled()
}, 90_000)

afterAll(async () => {
  for (const each of gateways) each.die()
  await Promise.all(instances.map((instance) => instance.end('SIGTERM')))
  await bus.close()
}, 60_000)

describe('two instances and three gateways on a real log', () => {
  test('a gateway that dies takes its sessions with it within 10 s, and nobody else', async () => {
    const [one, two, three] = gateways as [LiveGateway, LiveGateway, LiveGateway]
    const [gone, others] = [usersOf(one), [...usersOf(two), ...usersOf(three)]]
    one.die()
    const at = Date.now()
    await until('the ghosts to be gone', 15_000, () => all(gone, 'offline'))
    const ghosts = offlineAt(gone, at).map((each) => each.at - at)
    console.log(`ghosts after a gateway died: ${spread(ghosts)}`)
    expect(Math.max(...ghosts)).toBeLessThan(10_000)
    expect(Math.min(...ghosts)).toBeGreaterThan(presenceTimes.leaseMs - presenceTimes.beatMs - 500)
    expect(offlineAt(others, 0)).toEqual([])
  })

  test('a gateway frozen past its lease is fenced, and right again when it wakes', async () => {
    const two = gateways[1]!
    const mine = usersOf(two)
    two.freeze()
    await until('its people to be offline', 15_000, () => all(mine, 'offline'))
    two.wake()
    const at = Date.now()
    await until('its people to be online', 10_000, () => all(mine, 'online'))
    const back = told.filter((each) => each.state === 'online' && each.at >= at && mine.includes(each.user))
    console.log(`online again after a gateway woke: ${spread(back.map((each) => each.at - at))}`)
    expect(back).toHaveLength(PEOPLE)
    await sleep(presenceTimes.leaseMs + 3_000)
    expect(all(mine, 'online')).toBe(true)
  })

  test('a gateway frozen for less than its lease was never gone', async () => {
    const two = gateways[1]!
    const since = Date.now()
    two.freeze()
    await sleep(presenceTimes.leaseMs - presenceTimes.beatMs - 1_000)
    two.wake()
    await sleep(presenceTimes.leaseMs)
    expect(offlineAt(usersOf(two), since)).toEqual([])
  })

  test('an instance killed with -9: nobody blinks; who came is told, who left is told', async () => {
    const [, two, three] = gateways as [LiveGateway, LiveGateway, LiveGateway]
    const since = Date.now()
    await instances.shift()!.end('SIGKILL')
    const leaving = usersOf(three).slice(0, 50)
    for (const user of leaving) three.close(user)
    const coming = people(50)
    two.open(coming)
    await until('news', 30_000, () => all(leaving, 'offline') && all(coming, 'online'))
    await settled()
    console.log(
      `offline after they left while presence was killed: ${spread(offlineAt(leaving, since).map(({ at }) => at - since))}`,
    )
    console.log(
      `online after they came: ${spread(told.filter(({ user }) => coming.includes(user)).map(({ at }) => at - since))}`,
    )
    const stayed = [...usersOf(two), ...usersOf(three)]
    expect(offlineAt(stayed, since)).toEqual([])
    expect(all(stayed, 'online')).toBe(true)
  })

  test('an instance that joins and one that is stopped: nobody blinks', async () => {
    const [, two, three] = gateways as [LiveGateway, LiveGateway, LiveGateway]
    const since = Date.now()
    instances.push(await startInstance(brokers))
    await settled()
    const left = usersOf(three)[0]!
    three.close(left)
    await instances.shift()!.end('SIGTERM')
    await settled()
    await until('who left to be offline', 20_000, () => stateOf(left) === 'offline')
    console.log(
      `offline after they left while partitions changed hands: ${spread(offlineAt([left], since).map(({ at }) => at - since))}`,
    )
    const stayed = [...usersOf(two), ...usersOf(three)]
    expect(offlineAt(stayed, since)).toEqual([])
    expect(all(stayed, 'online')).toBe(true)
  })

  test('a gateway and an instance killed at once: only the people of that gateway are gone', async () => {
    const [, two, three] = gateways as [LiveGateway, LiveGateway, LiveGateway]
    instances.push(await startInstance(brokers))
    await settled()
    const gone = usersOf(two)
    const since = Date.now()
    two.die()
    await instances.shift()!.end('SIGKILL')
    await until('the ghosts to be gone', 40_000, () => all(gone, 'offline'))
    const ghosts = offlineAt(gone, since).map(({ at }) => at - since)
    console.log(`ghosts after a gateway and an instance died: ${spread(ghosts)}`)
    await settled()
    expect(all(usersOf(three), 'online')).toBe(true)
    expect(offlineAt(usersOf(three), since)).toEqual([])
    expect(Math.max(...ghosts)).toBeLessThan(20_000)
  })

  test('[S3] of everyone, states came in the order of their versions', () => {
    for (const { history } of receivers) {
      const latest = new Map<string, number>()
      for (const { user, version } of history) {
        expect(version).toBeGreaterThan(latest.get(user) ?? -1)
        latest.set(user, version)
      }
    }
  })
})
