import { randomUUID } from 'node:crypto'
import { limits, presenceTimes } from '@klatsch/contracts'
import type { Stack } from '@klatsch/local-stack'
import { pause, systemScheduler } from '@klatsch/streams'
import { until } from '../chaos.ts'
import { type Instance, launchInstance } from '../instances.ts'
import { pick } from '../random.ts'
import { GHOST_MS, judge, type Verdict } from './judge.ts'
import { Sitter } from './sitter.ts'

const ENTERING = 20
const MOVING = 50
const CHURN_MS = 250
/** A gateway is frozen for this much longer than its lease. */
const PAST_LEASE_MS = 5_000
/** Everything is told by then. */
const SETTLE_MS = GHOST_MS + 2_000

export interface GhostHuntOptions {
  readonly stack: Stack
  /** What the stack's services were started with: `INTERNAL_TOKEN`, and `GUESTS_PER_MINUTE` large enough. */
  readonly env: NodeJS.ProcessEnv
  readonly people: number
  readonly random: () => number
  readonly log?: (line: string) => void
  readonly signal?: AbortSignal
}

export interface GhostHuntReport extends Verdict {
  readonly people: number
  /** How often observers were told something. */
  readonly told: number
  readonly ok: boolean
}

/**
 * People on three gateways, two instances of presence, and observers who look at all of them, while some come and go all
 * the time: a gateway is killed, one is frozen past its lease and woken, each instance of presence is killed, a gateway
 * is shut down. In the end what the observers were told is held against what happened.
 */
export async function runGhostHunt(options: GhostHuntOptions): Promise<GhostHuntReport> {
  const { stack, env, log = () => {}, signal } = options
  const launched: Instance[] = []
  const launch = async (service: 'gateway' | 'presence') => {
    const instance = await launchInstance(stack, service, env)
    launched.push(instance)
    return instance
  }
  const hall: Hall = { options, observers: [], launch, groups: [[], [], []] }
  try {
    const gateways = (await Promise.all([launch('gateway'), launch('gateway')])) as [Instance, Instance]
    const presence = await launch('presence')
    await enterAll(hall, gateways)
    log(`${options.people} people are on three gateways, and everyone is online`)
    const churn = startChurn(hall)
    const third = await killGateway(hall, gateways)
    await freezeGateway(hall, gateways[1])
    await killPresence(hall, presence)
    await shutDown(hall, gateways[1], third)
    await churn.stop()
    await pause(systemScheduler, SETTLE_MS, signal)
    const people = hall.groups.flat()
    const happened = new Map(people.map(({ id, passages }) => [id, passages]))
    const told = hall.observers.map((observer) => observer.told)
    const verdict = judge(happened, told, systemScheduler.now())
    const { ghosts, falseOffline, unseen, outOfOrder } = verdict
    const ok = [ghosts, falseOffline, unseen, outOfOrder].every((found) => found.length === 0)
    return { ...verdict, people: people.length, told: told.flat().length, ok }
  } finally {
    for (const person of [...hall.groups.flat(), ...hall.observers]) person.close()
    for (const instance of launched) instance.signal('SIGKILL')
  }
}

/** Who sits where: groups by gateway, the first on the stack's own, to which nothing happens, and where observers are. */
interface Hall {
  readonly options: GhostHuntOptions
  readonly observers: Sitter[]
  readonly groups: [Sitter[], Sitter[], Sitter[]]
  launch(service: 'gateway' | 'presence'): Promise<Instance>
}

async function enterAll({ options, observers, groups }: Hall, gateways: readonly Instance[]): Promise<void> {
  const { stack, people, signal } = options
  const urls = [stack.urls.gateway, ...gateways.map(({ url }) => url)]
  const numbers = Array.from({ length: people }, (_, index) => index)
  await inBatches(numbers, ENTERING, async (index) => {
    signal?.throwIfAborted()
    const person = await Sitter.guest(stack.urls.chat, `p-${randomUUID().slice(0, 13)}`)
    await person.enter(urls[index % 3]!, 'entered')
    groups[index % 3]!.push(person)
  })
  const everyone = groups.flat()
  for (let at = 0; at < everyone.length; at += limits.watchedUsers) {
    const observer = await Sitter.guest(stack.urls.chat, `o-${randomUUID().slice(0, 13)}`)
    await observer.enter(stack.urls.gateway, 'entered')
    observer.watch(everyone.slice(at, at + limits.watchedUsers).map(({ id }) => id))
    observers.push(observer)
  }
  await until('everyone is online', () => all(observers, everyone, 'online'), signal)
  for (const person of everyone) person.begin()
}

/** Some of the first group leave and come back, one after the other, all the time. */
function startChurn({ options, groups }: Hall): { stop(): Promise<void> } {
  const { stack, random, signal } = options
  const restless = groups[0].slice(0, Math.ceil(groups[0].length / 5))
  const ended = new AbortController()
  const signals = AbortSignal.any([ended.signal, ...(signal ? [signal] : [])])
  const churning = (async () => {
    while (!signals.aborted) {
      const person = pick(random, restless)
      if (person.here) person.leave('left')
      else await person.enter(stack.urls.gateway, 'came back')
      await pause(systemScheduler, CHURN_MS, signals)
    }
  })()
  return {
    async stop() {
      ended.abort()
      await churning
    },
  }
}

/** Half of its people come to the other one at once, half when there is a third. Answers that third one. */
async function killGateway(hall: Hall, gateways: readonly [Instance, Instance]): Promise<Instance> {
  const { groups, observers, options, launch } = hall
  const { log = () => {}, signal } = options
  const theirs = groups[1]
  const lost = theirs.splice(0, Math.floor(theirs.length / 2))
  gateways[0].signal('SIGKILL')
  for (const person of [...lost, ...theirs]) person.went('gateway killed')
  await gateways[0].ended
  await inBatches(theirs, MOVING, (person) => person.enter(gateways[1].url, 'came to another gateway'))
  groups[2].push(...theirs.splice(0))
  await until('the people of the killed gateway are offline', () => all(observers, lost, 'offline'), signal)
  log('a gateway was killed; who did not come back is offline')
  const third = await launch('gateway')
  await inBatches(lost, MOVING, (person) => person.enter(third.url, 'came to another gateway'))
  groups[1].push(...lost)
  await until('who came back is online', () => all(observers, lost, 'online'), signal)
  return third
}

async function freezeGateway({ groups, observers, options }: Hall, gateway: Instance): Promise<void> {
  const { log = () => {}, signal } = options
  gateway.signal('SIGSTOP')
  for (const person of groups[2]) person.went('gateway frozen')
  try {
    await until(
      'the people of the frozen gateway are offline',
      () => all(observers, groups[2], 'offline'),
      signal,
    )
    await pause(systemScheduler, PAST_LEASE_MS, signal)
  } finally {
    gateway.signal('SIGCONT')
  }
  for (const person of groups[2]) person.came('gateway woken')
  await until('the people of the woken gateway are online', () => all(observers, groups[2], 'online'), signal)
  await pause(systemScheduler, presenceTimes.leaseMs, signal)
  log('a gateway was frozen past its lease, woken, and put itself right')
}

async function killPresence({ groups, observers, options, launch }: Hall, presence: Instance): Promise<void> {
  const { stack, log = () => {}, signal } = options
  const leaving = groups[2].slice(0, 20)
  presence.signal('SIGKILL')
  for (const person of leaving) person.leave('left as presence was killed')
  await until('who left meanwhile is offline', () => all(observers, leaving, 'offline'), signal)
  await launch('presence')
  log('an instance of presence was killed and started again')
  stack.kill('presence', 'SIGKILL')
  await pause(systemScheduler, 2 * presenceTimes.leaseMs, signal)
  await stack.parts.get('presence')?.ready()
  log('the other instance was killed, too')
}

/** Its people open a second socket elsewhere, as it asks them to: nobody is to see them blink. */
async function shutDown({ groups, options }: Hall, gateway: Instance, other: Instance): Promise<void> {
  const { log = () => {}, signal } = options
  const moving = groups[2].filter((person) => person.here)
  gateway.signal('SIGTERM')
  await inBatches(moving, MOVING, (person) => person.enter(other.url, 'moved'))
  await gateway.ended
  await pause(systemScheduler, presenceTimes.handOverMs, signal)
  log('a gateway was shut down; its people had moved')
}

/** Whether all observers' latest word on these people is this state. */
function all(observers: readonly Sitter[], people: readonly Sitter[], state: string): boolean {
  const latest = new Map<string, string>()
  for (const { told } of observers) for (const one of told) latest.set(one.user, one.state)
  return people.every(({ id }) => latest.get(id) === state)
}

/** Runs `work` for each, so many at a time. */
async function inBatches<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(work))
}
