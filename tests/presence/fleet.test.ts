import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits, presenceTimes } from '@klatsch/contracts'
import { freePorts, type Stack, startStack } from '@klatsch/local-stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Instance, inBatches, launch, Person, spread, until } from './fleet.ts'

/** People on three gateways; PRESENCE_PEOPLE for more. */
const PEOPLE = Number(process.env.PRESENCE_PEOPLE ?? '150')
const GHOST_MS = 10_000
const START_MS = 200_000 + PEOPLE * 500

let dir: string
let stack: Stack
let env: NodeJS.ProcessEnv
/** The stack's own gateway is the one that nothing happens to: there sit those who watch. */
let gateways: Instance[] = []
let presence: Instance
const observers: Person[] = []
const groups: Person[][] = [[], [], []]

/** The latest state of somebody, as every observer of them knows it; undefined while they differ. */
function believed(user: string): string | undefined {
  const last = observers.map((each) => each.told.findLast((one) => one.user === user)?.state).filter(Boolean)
  return new Set(last).size === 1 ? last[0] : undefined
}
const all = (people: readonly Person[], state: string) => people.every(({ id }) => believed(id) === state)
const toldOf = (people: readonly Person[], state: string, since: number) => {
  const ids = new Set(people.map(({ id }) => id))
  return observers.flatMap((each) =>
    each.told.filter((one) => one.at >= since && one.state === state && ids.has(one.user)),
  )
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'klatsch-fleet-'))
  const [port = 0] = await freePorts(1)
  const { KAFKA_BROKERS: _, DATABASE_URL: __, ...rest } = process.env
  env = { ...rest, INTERNAL_TOKEN: randomUUID(), GUESTS_PER_MINUTE: '100000' }
  stack = await startStack({ port, dataDir: dir, env })
  gateways = await Promise.all([launch(stack, 'gateway', env), launch(stack, 'gateway', env)])
  presence = await launch(stack, 'presence', env)
  const urls = [stack.urls.gateway, ...gateways.map(({ url }) => url)]
  const everyone = Array.from({ length: PEOPLE }, (_, index) => index)
  await inBatches(everyone, 20, async (index) => {
    const person = await Person.guest(stack.urls.chat, `p-${randomUUID().slice(0, 13)}`)
    await person.enter(urls[index % 3]!)
    groups[index % 3]!.push(person)
  })
  const ids = groups.flat().map(({ id }) => id)
  for (let at = 0; at < ids.length; at += limits.watchedUsers) {
    const observer = await Person.guest(stack.urls.chat, `o-${randomUUID().slice(0, 13)}`)
    await observer.enter(stack.urls.gateway)
    observer.watch(ids.slice(at, at + limits.watchedUsers))
    observers.push(observer)
  }
  await until('everyone to be online', 60_000, () => groups.every((group) => all(group, 'online')))
}, START_MS)

afterAll(async () => {
  for (const person of [...groups.flat(), ...observers]) person.leave()
  for (const instance of [...gateways, presence]) instance?.signal('SIGKILL')
  await stack?.stop()
  rmSync(dir, { recursive: true, force: true })
}, 120_000)

describe(`${PEOPLE} people on three gateways, and two presence instances`, () => {
  test('a gateway killed with -9: who comes back elsewhere was never gone, who does not is gone within 10 s', async () => {
    const [watched, theirs] = [groups[0]!, groups[1]!]
    const lost = theirs.splice(0, Math.floor(theirs.length / 2))
    const since = Date.now()
    gateways[0]!.signal('SIGKILL')
    await gateways[0]!.ended
    await sleep(1_000)
    await inBatches(theirs, 50, (person) => person.enter(gateways[1]!.url))
    const backAfter = Date.now() - since
    await until('the ghosts to be gone', 20_000, () => all(lost, 'offline'))
    const ghosts = toldOf(lost, 'offline', since).map(({ at }) => at - since)
    console.log(`ghosts: ${spread(ghosts)}; the others were back after ${backAfter} ms`)
    await sleep(presenceTimes.leaseMs)
    expect(Math.max(...ghosts)).toBeLessThan(GHOST_MS)
    for (const group of [watched, theirs, groups[2]!]) expect(toldOf(group, 'offline', since)).toEqual([])
  })

  test('a gateway frozen past its lease and woken puts itself right', async () => {
    const theirs = [...groups[1]!, ...groups[2]!]
    const since = Date.now()
    gateways[1]!.signal('SIGSTOP')
    await until('its people to be offline', 20_000, () => all(theirs, 'offline'))
    const gone = toldOf(theirs, 'offline', since).map(({ at }) => at - since)
    await sleep(3_000)
    gateways[1]!.signal('SIGCONT')
    const woken = Date.now()
    await until('its people to be online', 20_000, () => all(theirs, 'online'))
    const back = toldOf(theirs, 'online', woken).map(({ at }) => at - woken)
    console.log(`frozen: offline after ${spread(gone)}; woken: online after ${spread(back)}`)
    await sleep(presenceTimes.leaseMs + 2_000)
    expect(Math.max(...gone)).toBeLessThan(GHOST_MS)
    expect(all(theirs, 'online')).toBe(true)
    expect(toldOf(theirs, 'offline', woken)).toEqual([])
    expect(toldOf(groups[0]!, 'offline', since)).toEqual([])
  })

  test('presence killed with -9, started again and rebalanced: nobody who is here blinks', async () => {
    const since = Date.now()
    const leaving = groups[2]!.splice(0, 20)
    presence.signal('SIGKILL')
    for (const person of leaving) person.leave()
    await until('who left to be offline', 30_000, () => all(leaving, 'offline'))
    console.log(
      `offline after they left: ${spread(toldOf(leaving, 'offline', since).map(({ at }) => at - since))}`,
    )
    presence = await launch(stack, 'presence', env)
    stack.kill('presence', 'SIGKILL')
    await stack.parts.get('presence')!.ready()
    await sleep(2 * presenceTimes.leaseMs)
    for (const group of groups) {
      expect(toldOf(group, 'offline', since)).toEqual([])
      expect(all(group, 'online')).toBe(true)
    }
  })

  test('a gateway that shuts down hands its people over: who moves in time was never gone', async () => {
    const theirs = [...groups[1]!, ...groups[2]!]
    const since = Date.now()
    gateways[1]!.signal('SIGTERM')
    await inBatches(theirs, 50, (person) => person.enter(stack.urls.gateway))
    const movedAfter = Date.now() - since
    await gateways[1]!.ended
    await sleep(2 * presenceTimes.leaseMs)
    console.log(`moved after ${movedAfter} ms`)
    expect(toldOf(theirs, 'offline', since)).toEqual([])
    expect(all(theirs, 'online')).toBe(true)
  })

  test('[S3] each observer was told of everyone in the order of versions', () => {
    for (const { told } of observers) {
      const latest = new Map<string, number>()
      for (const { user, version } of told) {
        expect(version).toBeGreaterThan(latest.get(user) ?? -1)
        latest.set(user, version)
      }
    }
  })
})
