import {
  type Bugs,
  type GatewaySignal,
  noBugs,
  type PresenceSession,
  presenceTimes,
} from '@klatsch/contracts'
import {
  type Lease,
  newPartition,
  type Partition,
  type PresenceEvent,
  type RosterEntry,
  type SignalRecord,
} from './partition.ts'
import { choiceOf, type Held, homeOf, type Person, stateOf } from './people.ts'

const { leaseMs, maxStepMs, graceMs, handOverMs, rebuildMs } = presenceTimes
/** A gateway whose set is not whole is asked for it so often. */
const ASK_MS = 2_000
const FENCE_MS = 3_600_000
const ROSTER_USERS = 500

/**
 * Takes in the next record of the partition and answers what is to be told. The partition is changed in place; state
 * and answer follow from the records alone. A record at or before `position` changes nothing.
 */
export function takeIn(
  partition: Partition,
  { offset, time, signal }: SignalRecord,
  bugs: Bugs = noBugs,
): PresenceEvent[] {
  if (offset <= partition.position) return []
  const missed = partition.position >= 0 && offset !== partition.position + 1
  // Somebody may have been heard of in between.
  if (missed) Object.assign(partition, newPartition())
  // Before the very first record nobody has said anything: there is nothing to wait for.
  if (offset === 0) partition.settled = true
  partition.position = offset
  const log = Math.max(time, partition.time ?? time)
  partition.clock += Math.min(log - (partition.time ?? log), maxStepMs)
  partition.time = log

  const stamp = { version: offset, time: log }
  const turn: Turn = { partition, touched: new Set(), events: [], stamp, bugs }
  if (missed) turn.events.push({ kind: 'resync', gateway: undefined, fenced: undefined })
  // Whoever speaks before the end of its lease was told to anyone is in time.
  if (signal.kind === 'gateway') hear(turn, signal)
  if (!bugs.has('lease-off')) endLeases(turn)
  endLeaving(turn)
  if (!partition.settled && (mayBeSettled(partition) || bugs.has('settle-at-once'))) settle(turn)
  else for (const user of turn.touched) announce(turn, user)
  if (signal.kind === 'ask') answer(turn, signal.users)
  forget(partition)
  return turn.events
}

/** One record being taken in. */
interface Turn {
  readonly partition: Partition
  /** People whose sessions changed. */
  readonly touched: Set<string>
  readonly events: PresenceEvent[]
  readonly stamp: { readonly version: number; readonly time: number }
  readonly bugs: Bugs
}

function hear(turn: Turn, signal: GatewaySignal): void {
  const { partition } = turn
  const unfenced = turn.bugs.has('lease-without-fencing')
  const fence = unfenced ? undefined : partition.fenced.get(signal.gateway)
  if (fence && signal.epoch <= fence.epoch) {
    turn.events.push({ kind: 'resync', gateway: signal.gateway, fenced: fence.epoch })
    return
  }
  const lease = partition.gateways.get(signal.gateway) ?? newLease(partition, signal.gateway)
  if (signal.epoch < lease.epoch && !unfenced) return
  if (signal.epoch > lease.epoch) {
    lease.epoch = signal.epoch
    lease.n = 0
    lease.whole = false
    lease.draft = undefined
  }
  if (signal.n <= lease.n) return
  const missed = signal.n !== lease.n + 1
  lease.n = signal.n
  lease.heardAt = partition.clock
  lease.heardTime = partition.time!
  if (missed) {
    lease.whole = false
    lease.draft = undefined
  }

  if (signal.full) {
    // Those who just left are in no set: they have their own grace, not that of one who is missing.
    end(turn, signal, lease)
    takeFull(turn, signal, lease, signal.full, signal.sessions ?? [])
  } else {
    for (const session of signal.sessions ?? []) hold(turn, signal.gateway, lease, session)
    end(turn, signal, lease)
  }
  for (const { user, room, typing } of signal.typing ?? []) {
    turn.events.push({ kind: 'typing', user, room, typing, ...turn.stamp })
  }
  if (!lease.whole && !lease.draft && partition.clock - lease.askedAt >= ASK_MS) {
    lease.askedAt = partition.clock
    turn.events.push({ kind: 'resync', gateway: signal.gateway, fenced: undefined })
  }
}

function end(turn: Turn, { gateway, ended = [] }: GatewaySignal, lease: Lease): void {
  const { partition } = turn
  for (const { user, session, graceMs: asked } of ended) {
    // An owner that is still rebuilding has not heard of the session: what it is owed is the same as with any owner.
    if (!lease.sessions.delete(session)) {
      const person = personOf(partition, user)
      const forgets = partition.settled || turn.bugs.has('rebuild-forgets-ended')
      if (forgets || indexOf(person, gateway, session) >= 0) continue
      person.held.push({ user, session, gateway, idle: false })
    }
    leave(turn, gateway, user, session, Math.min(asked, handOverMs))
  }
}

function newLease(partition: Partition, gateway: string): Lease {
  const lease: Lease = {
    epoch: -1,
    n: 0,
    heardAt: partition.clock,
    heardTime: partition.time!,
    whole: false,
    draft: undefined,
    askedAt: Number.NEGATIVE_INFINITY,
    sessions: new Map(),
  }
  partition.gateways.set(gateway, lease)
  return lease
}

function takeFull(
  turn: Turn,
  { gateway }: GatewaySignal,
  lease: Lease,
  { part, of }: { part: number; of: number },
  sessions: readonly PresenceSession[],
): void {
  if (part === 1) lease.draft = { part, sessions: [...sessions] }
  else if (lease.draft?.part === part - 1) {
    lease.draft.part = part
    lease.draft.sessions.push(...sessions)
  } else lease.draft = undefined
  if (!lease.draft || part < of) return
  const all = lease.draft.sessions
  lease.draft = undefined
  lease.whole = true
  const kept = new Set(all.map(({ session }) => session))
  for (const [session, user] of lease.sessions) {
    if (kept.has(session)) continue
    lease.sessions.delete(session)
    leave(turn, gateway, user, session, graceMs)
  }
  for (const session of all) hold(turn, gateway, lease, session)
}

function hold(turn: Turn, gateway: string, lease: Lease, session: PresenceSession): void {
  const person = personOf(turn.partition, session.user)
  const held: Held = { ...session, gateway }
  const at = indexOf(person, gateway, session.session)
  if (at < 0) person.held.push(held)
  else person.held[at] = held
  lease.sessions.set(session.session, session.user)
  turn.touched.add(session.user)
}

function leave(turn: Turn, gateway: string, user: string, session: string, grace: number): void {
  const { partition } = turn
  const person = personOf(partition, user)
  const at = indexOf(person, gateway, session)
  const held = person.held[at]
  if (!held) return
  const until = partition.clock + (turn.bugs.has('grace-off') ? 0 : grace)
  person.held[at] = { ...held, leaving: { until, at: partition.time! } }
  partition.leaving.add(user)
  partition.nextEnd = Math.min(partition.nextEnd, until)
}

function personOf(partition: Partition, user: string): Person {
  let person = partition.people.get(user)
  if (!person) {
    person = { held: [], told: undefined, last: undefined }
    partition.people.set(user, person)
  }
  return person
}

const indexOf = (person: Person, gateway: string, session: string): number =>
  person.held.findIndex((held) => held.session === session && held.gateway === gateway)

/** Gateways not heard of for the length of a lease are gone, with all their sessions, and what comes of that life late is void. */
function endLeases(turn: Turn): void {
  const { partition } = turn
  for (const [gateway, lease] of partition.gateways) {
    if (partition.clock - lease.heardAt <= leaseMs) continue
    partition.gateways.delete(gateway)
    partition.fenced.delete(gateway)
    partition.fenced.set(gateway, { epoch: lease.epoch, at: partition.clock })
    for (const [session, user] of lease.sessions) {
      const person = partition.people.get(user)
      if (!person) continue
      over(turn, user, person, person.held[indexOf(person, gateway, session)], lease.heardTime)
    }
  }
}

function endLeaving(turn: Turn): void {
  const { partition } = turn
  if (partition.clock < partition.nextEnd) return
  partition.nextEnd = Number.POSITIVE_INFINITY
  for (const user of partition.leaving) {
    const person = partition.people.get(user)
    let left = Number.POSITIVE_INFINITY
    for (const held of [...(person?.held ?? [])]) {
      if (!held.leaving) continue
      if (held.leaving.until <= partition.clock) over(turn, user, person!, held, held.leaving.at)
      else left = Math.min(left, held.leaving.until)
    }
    if (left === Number.POSITIVE_INFINITY) partition.leaving.delete(user)
    else partition.nextEnd = Math.min(partition.nextEnd, left)
  }
}

function over(turn: Turn, user: string, person: Person, held: Held | undefined, at: number): void {
  if (!held) return
  const hidden = choiceOf(person.held)?.hideLastSeen ?? person.last?.hidden ?? false
  person.held = person.held.filter((each) => each !== held)
  if (!person.last || person.last.at <= at || hidden) person.last = { at, hidden }
  turn.touched.add(user)
}

/** Every gateway that lives was heard of within one lease; what is missing then are their full sets. */
function mayBeSettled({ clock, gateways }: Partition): boolean {
  if (clock <= leaseMs) return false
  return clock >= rebuildMs || [...gateways.values()].every((lease) => lease.whole)
}

function settle(turn: Turn): void {
  const { partition, stamp } = turn
  partition.settled = true
  const all: RosterEntry[] = []
  for (const [user, person] of partition.people) {
    const entry = tell(turn, user, person)
    if (entry.state !== 'offline') all.push(entry)
  }
  const of = Math.max(1, Math.ceil(all.length / ROSTER_USERS))
  for (let part = 1; part <= of; part += 1) {
    const users = all.slice((part - 1) * ROSTER_USERS, part * ROSTER_USERS)
    turn.events.push({ kind: 'roster', users, complete: { part, of }, ...stamp })
  }
}

/**
 * Until it is settled, there may be other sessions of the same person, so only `online` is sure; and that only when a
 * gateway says so that has told all it has: what a dead one said may have come late, and who was fenced is not known.
 */
function isSure({ settled, gateways }: Partition, held: readonly Held[]): boolean {
  return (
    settled ||
    (stateOf(held) === 'online' && held.some(({ idle, gateway }) => !idle && gateways.get(gateway)?.whole))
  )
}

function announce(turn: Turn, user: string): void {
  const { partition, stamp } = turn
  const person = partition.people.get(user)
  if (!person) return
  const state = stateOf(person.held)
  const { told } = person
  const news = told ? state !== told.state || homeOf(person) !== told.home : state !== 'offline'
  if (news && isSure(partition, person.held))
    turn.events.push({ kind: 'changed', ...tell(turn, user, person), ...stamp })
  else if (state === 'offline') tell(turn, user, person)
}

/** Notes what is told of somebody now. Who is offline is forgotten here. */
function tell({ partition, events }: Turn, user: string, person: Person): RosterEntry {
  const state = stateOf(person.held)
  const home = homeOf(person)
  person.told = { state, home }
  if (state !== 'offline') return { user, state, home, lastSeen: undefined }
  partition.people.delete(user)
  if (person.last) events.push({ kind: 'seen', user, ...person.last })
  return { user, state, home, lastSeen: person.last?.hidden ? undefined : person.last?.at }
}

/** Before it is settled only those who are surely online are named: the roster of all names the others, or not. */
function answer({ partition, events, stamp }: Turn, asks: readonly string[]): void {
  const users: RosterEntry[] = []
  for (const user of asks) {
    const person = partition.people.get(user)
    const held = person?.held ?? []
    if (!isSure(partition, held)) continue
    users.push({ user, state: stateOf(held), home: person && homeOf(person), lastSeen: undefined })
  }
  if (users.length > 0) events.push({ kind: 'roster', users, ...stamp })
}

/** Bounds what is remembered of those who are gone. */
function forget({ clock, fenced }: Partition): void {
  for (const [gateway, { at }] of fenced) {
    if (clock - at <= FENCE_MS) break
    fenced.delete(gateway)
  }
}
