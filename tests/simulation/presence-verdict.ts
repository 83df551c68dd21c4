import {
  headers,
  type PresenceState,
  presenceDataSchema,
  presenceEventTypes,
  presencePartitionOf,
  presenceTimes,
  rosterSchema,
  topics,
} from '@klatsch/contracts'
import type { Cast } from './cast.ts'
import type { Span } from './lives.ts'
import type { World } from './world.ts'

/** Somebody who is said to be here so long after they went, by the log, is a ghost. */
const GHOST_MS = 10_000
/** Who comes back within so long was never gone. */
const HASTY_MS = presenceTimes.graceMs - 500
/** From the welcome until it must be on the log. */
const SAID_MS = 2_000
/** A gateway may have told presence before it wrote the welcome. */
const TURN_MS = 100

/** A state that was told, by the log. `at`: when it was told; `of`: the log time that it is about. */
interface Told {
  readonly state: PresenceState
  readonly version: number
  readonly at: number
  readonly of: number
}

type Found = Record<
  'ghosts' | 'risen' | 'falseOffline' | 'unseen' | 'presenceOrder' | 'presenceEnd',
  string[]
>

/** Holds what presence told, on the log and in the end at everyone, against who was here. */
export function judgePresence(world: World, cast: Cast): Found {
  const found: Found = {
    ghosts: [],
    risen: [],
    falseOffline: [],
    unseen: [],
    presenceOrder: [],
    presenceEnd: [],
  }
  const users = [...cast.people, ...cast.visitors].map(({ id }) => id)
  const told = toldOnLog(world, users)
  for (const user of users) {
    judgeUser(
      { name: cast.names.get(user)!, spans: world.lives.of(user), told: told.get(user)!, world },
      found,
    )
  }
  judgeOrder(cast, found)
  const end = world.sim.now()
  for (const { name, client } of cast.people) {
    for (const user of users) {
      const here = world.lives.of(user).some(({ to }) => to > end)
      const state = client.presence.people.get(user)?.state ?? 'offline'
      if (here === (state === 'offline')) {
        found.presenceEnd.push(
          `${cast.names.get(user)} is ${here ? 'here' : 'gone'}, and ${state} to ${name}`,
        )
      }
    }
  }
  return found
}

/** Everybody's states as the log tells them, to one who keeps the latest version. */
function toldOnLog(world: World, users: readonly string[]): Map<string, Told[]> {
  const told = new Map<string, Told[]>(users.map((user) => [user, []]))
  const times = new Map(
    world.bus
      .records(topics.presenceSignals.name)
      .map(({ partition, offset, timestamp }) => [`${partition} ${offset}`, timestamp]),
  )
  const parts = new Map<number, { version: number; count: number }>()
  const apply = (user: string, state: PresenceState, version: number, at: number) => {
    const mine = told.get(user)
    const before = mine?.at(-1)
    if (!mine || (before && before.version >= version)) return
    const of = times.get(`${presencePartitionOf(user)} ${version}`) ?? at
    if (before?.state === state) mine[mine.length - 1] = { ...before, version }
    else mine.push({ state, version, at, of })
  }
  for (const { key, headers: given, value, timestamp } of world.bus.records(topics.presenceEvents.name)) {
    if (given[headers.type] === presenceEventTypes.changed) {
      const { state, version } = presenceDataSchema.parse(JSON.parse(value.toString()).data)
      apply(key, state, version, timestamp)
    }
    if (given[headers.type] !== presenceEventTypes.roster) continue
    const { partition, version, users: named, complete } = rosterSchema.parse(JSON.parse(value.toString()))
    for (const { user, state } of named) apply(user, state, version, timestamp)
    if (!complete) continue
    const before = parts.get(partition)
    const count = complete.part === 1 ? 1 : before?.version === version ? before.count + 1 : 0
    parts.set(partition, { version, count })
    if (complete.part !== complete.of || count !== complete.of) continue
    // Only who saw every part knows who is not named; who was never told of was offline all along.
    for (const user of users) {
      if (presencePartitionOf(user) === partition && told.get(user)!.length > 0) {
        apply(user, 'offline', version, timestamp)
      }
    }
  }
  return told
}

interface Case {
  readonly name: string
  /** When they were here. */
  readonly spans: readonly Span[]
  readonly told: readonly Told[]
  readonly world: World
}

function judgeUser(one: Case, found: Found): void {
  const { name, spans, told, world } = one
  const { lives } = world
  const time = (at: number) => `${Math.round(world.since(at))} ms`
  for (const [index, { state, of }] of told.entries()) {
    const here = spans.find(({ from, to }) => from + SAID_MS < of && of < to)
    const after = spans.find(({ from, to }) => from <= of + HASTY_MS && of < to)
    // Who was here for no longer may not have been heard of.
    const before = spans.findLast(({ from, to }) => to <= of && to - from > SAID_MS)
    if (state === 'offline') {
      const since = here?.from ?? before?.to ?? of
      if (lives.wasUnwell({ from: since - GHOST_MS, to: of })) continue
      if (here)
        found.falseOffline.push(`${name} is offline at ${time(of)}, and here since ${time(here.from)}`)
      else if (before && after && after.from - before.to < HASTY_MS) {
        found.falseOffline.push(
          `${name} is offline at ${time(of)}, having gone at ${time(before.to)} and come at ${time(after.from)}`,
        )
      }
      continue
    }
    const gone = told.slice(0, index).findLast((earlier) => earlier.state === 'offline')
    const last = spans.findLast(({ from }) => from <= of + TURN_MS)
    if (gone && last && last.to < gone.of && !world.presenceWatch.moved({ from: last.to, to: of })) {
      found.risen.push(
        `${name} is ${state} at ${time(of)}, having gone at ${time(last.to)} for good, and been offline at ${time(gone.of)}`,
      )
    }
  }
  judgeGoing(one, found)
}

/** Who goes must be told of, and who comes. */
function judgeGoing({ name, spans, told, world }: Case, found: Found): void {
  const end = world.sim.now()
  const time = (at: number) => `${Math.round(world.since(at))} ms`
  for (const [index, { from, to }] of spans.entries()) {
    const next = spans[index + 1]?.from ?? end
    const states = (span: Span) => told.filter(({ at }) => at >= span.from && at < span.to)
    const stood = (at: number) => told.findLast((one) => one.at <= at)?.state ?? 'offline'
    const away = Math.min(to, end)
    // Without an owner that knows everything, nothing can be told.
    const patience = (span: Span) => GHOST_MS + world.presenceWatch.delayMs(span)
    const seen =
      stood(from) !== 'offline' || states({ from, to: away }).some(({ state }) => state !== 'offline')
    if (!seen && away - from > patience({ from, to: away }) && !world.lives.wasUnwell({ from, to: away })) {
      found.unseen.push(`${name} is here from ${time(from)} to ${time(away)}, and nobody is told`)
    }
    if (to >= end || stood(to) === 'offline') continue
    const gone = { from: to, to: next }
    const until = states(gone).find(({ state }) => state === 'offline')?.at ?? next
    if (
      until - to > patience({ from: to, to: until }) &&
      !world.lives.wasUnwell({ from: to - GHOST_MS, to: until })
    ) {
      found.ghosts.push(`${name} went at ${time(to)} and is still here at ${time(until)}`)
    }
  }
}

/** On one connection, everybody's states come in the order of their versions. */
function judgeOrder({ told, names }: Cast, found: Found): void {
  const last = new Map<string, number>()
  for (const { observer, user, state, version, connection } of told) {
    const key = `${observer} ${connection} ${user}`
    const before = last.get(key) ?? -1
    if (version <= before) {
      found.presenceOrder.push(`${names.get(user)} is ${state} (${version}) after ${before} at ${observer}`)
    }
    last.set(key, version)
  }
}
