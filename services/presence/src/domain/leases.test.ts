import { presenceTimes } from '@klatsch/contracts'
import { describe, expect, test } from 'vitest'
import { Receiver, World } from '../../test/world.ts'
import { takeIn } from './leases.ts'
import { newPartition, type PresenceEvent } from './partition.ts'

const { leaseMs, graceMs, maxStepMs, rebuildMs } = presenceTimes
const SETTLED = leaseMs + 1_500

function settledWorld(): World {
  const world = new World()
  world.append({ kind: 'tick' })
  world.run(SETTLED)
  expect(world.owner?.state.settled).toBe(true)
  return world
}

const changes = (world: World, user: string) =>
  world.receiver.history.filter((entry) => entry.user === user).map(({ state }) => state)

describe('one person', () => {
  test('is online at once, and offline a moment after the last session ended', () => {
    const world = settledWorld()
    const [gateway] = world.gateways
    gateway!.open('ada', 's1')
    world.run(100)
    expect(world.receiver.state('ada')).toBe('online')
    gateway!.close('s1')
    world.run(graceMs - 200)
    expect(world.receiver.state('ada')).toBe('online')
    world.run(1_500)
    expect(changes(world, 'ada')).toEqual(['online', 'offline'])
  })

  test('reloads a page without being offline in between', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(3_000)
    world.gateways[0]!.close('s1')
    world.run(2_000)
    world.gateways[1]!.open('ada', 's2')
    world.run(20_000)
    expect(changes(world, 'ada')).toEqual(['online'])
  })

  test('with several tabs is one: away only when all are idle, offline only when all are closed', () => {
    const world = settledWorld()
    const [one, two] = world.gateways
    one!.open('ada', 's1')
    two!.open('ada', 's2')
    one!.change('s1', { idle: true })
    world.run(500)
    expect(world.receiver.state('ada')).toBe('online')
    two!.change('s2', { idle: true })
    world.run(500)
    expect(world.receiver.state('ada')).toBe('away')
    two!.close('s2')
    one!.change('s1', { idle: false })
    world.run(10_000)
    expect(changes(world, 'ada')).toEqual(['online', 'away', 'online'])
  })

  test('is not to be disturbed by the latest choice made in any session', () => {
    const world = settledWorld()
    const [one, two] = world.gateways
    one!.open('ada', 's1', { chosen: { dnd: true, hideLastSeen: false, at: 5 } })
    two!.open('ada', 's2', { idle: true })
    world.run(500)
    expect(world.receiver.state('ada')).toBe('dnd')
    two!.change('s2', { chosen: { dnd: false, hideLastSeen: false, at: 6 } })
    world.run(500)
    expect(world.receiver.state('ada')).toBe('online')
  })
})

test('somebody with sessions on two gateways has one home, until that is over', () => {
  const world = settledWorld()
  const homes = () =>
    world.events.flatMap((event) => (event.kind === 'changed' && event.user === 'ada' ? [event.home] : []))
  const [one, two] = world.gateways
  one!.open('ada', 's1')
  two!.open('ada', 's2')
  world.run(3_000)
  expect(homes()).toEqual(['g1'])
  one!.close('s1')
  world.run(6_000)
  expect(homes()).toEqual(['g1', 'g2'])
  expect(changes(world, 'ada')).toEqual(['online'])
})

describe('last seen', () => {
  const lastSeen = (events: readonly PresenceEvent[]) => {
    const last = events.findLast((event) => event.kind === 'changed')
    return last?.kind === 'changed' ? last.lastSeen : undefined
  }

  test('is when the last session ended, not when that was told', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(1_000)
    const at = world.time
    world.gateways[0]!.close('s1')
    world.run(10_000)
    expect(lastSeen(world.events)).toBe(at)
    expect(world.events).toContainEqual({ kind: 'seen', user: 'ada', at, hidden: false })
    world.append({ kind: 'ask', users: ['ada', 'nobody'] })
    world.run(100)
    const answer = world.events.findLast((event) => event.kind === 'roster')
    expect(answer?.kind === 'roster' && answer.users).toEqual([
      { user: 'ada', state: 'offline', home: undefined, lastSeen: undefined },
      { user: 'nobody', state: 'offline', home: undefined, lastSeen: undefined },
    ])
  })

  test('is when the gateway was last heard of, where that died', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(5_000)
    const { saidAt } = world.gateways[0]!
    world.gateways[0]!.mode = 'dead'
    world.run(12_000)
    expect(lastSeen(world.events)).toBe(saidAt)
  })

  test('is not told of who hides it, also when another session without a choice ends later', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1', { chosen: { dnd: false, hideLastSeen: true, at: 1 } })
    world.gateways[0]!.open('ada', 's2')
    world.run(1_000)
    world.gateways[0]!.close('s1')
    world.run(6_000)
    world.gateways[0]!.close('s2')
    world.run(6_000)
    expect(changes(world, 'ada')).toEqual(['online', 'offline'])
    expect(lastSeen(world.events)).toBeUndefined()
    expect(world.events).toContainEqual(expect.objectContaining({ kind: 'seen', user: 'ada', hidden: true }))
  })
})

describe('leases', () => {
  test('a gateway that dies takes its sessions with it within 10 s, and nobody else', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.gateways[0]!.open('bob', 's2')
    world.gateways[1]!.open('bob', 's3')
    world.run(5_000)
    world.gateways[0]!.mode = 'dead'
    world.run(10_000)
    expect(changes(world, 'ada')).toEqual(['online', 'offline'])
    expect(changes(world, 'bob')).toEqual(['online'])
  })

  test('what a fenced life says counts for nothing, and the gateway is asked for a new one', () => {
    const world = settledWorld()
    const [gateway] = world.gateways
    gateway!.open('ada', 's1')
    world.run(1_000)
    gateway!.mode = 'dead'
    world.run(12_000)
    expect(world.receiver.state('ada')).toBe('offline')
    world.events.length = 0
    gateway!.say({ sessions: [{ user: 'eve', session: 's9', idle: false }] })
    world.run(100)
    expect(world.receiver.state('eve')).toBeUndefined()
    expect(world.events).toEqual([{ kind: 'resync', gateway: 'g1', fenced: gateway!.epoch }])
  })

  test('a gateway frozen past its lease puts itself right when it wakes', () => {
    const world = settledWorld()
    const [gateway] = world.gateways
    gateway!.open('ada', 's1')
    world.run(1_000)
    gateway!.mode = 'frozen'
    world.run(12_000)
    gateway!.wake()
    world.run(100)
    expect(changes(world, 'ada')).toEqual(['online', 'offline', 'online'])
  })

  test('while the log is away no lease runs out', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(3_000)
    world.time += 60_000
    world.append({ kind: 'tick' })
    world.run(maxStepMs)
    expect(changes(world, 'ada')).toEqual(['online'])
  })

  test('a hand-over keeps the sessions of a gateway that shuts down until another has them', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(3_000)
    world.gateways[0]!.close('s1', presenceTimes.handOverMs)
    world.gateways[0]!.mode = 'dead'
    world.run(6_000)
    world.gateways[1]!.open('ada', 's2')
    world.run(20_000)
    expect(changes(world, 'ada')).toEqual(['online'])
  })

  test('so does one that is asked for its full set while it does', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.gateways[0]!.open('bob', 's2')
    world.run(3_000)
    world.gateways[0]!.close('s1', presenceTimes.handOverMs, true)
    world.run(6_000)
    world.gateways[1]!.open('ada', 's3')
    world.run(20_000)
    expect(changes(world, 'ada')).toEqual(['online'])
  })

  test('nobody can ask for a longer grace than that', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(1_000)
    world.gateways[0]!.close('s1', 3_600_000)
    world.run(9_000)
    expect(world.receiver.state('ada')).toBe('offline')
  })
})

describe('records', () => {
  test('taken in twice, or sent twice, change nothing', () => {
    const world = settledWorld()
    const [gateway] = world.gateways
    gateway!.open('ada', 's1')
    gateway!.open('bob', 's2')
    world.run(500)
    gateway!.close('s1')
    world.run(8_000)
    const sent = world.log.filter(({ signal }) => signal.kind === 'gateway').map(({ signal }) => signal)
    for (const signal of sent) world.append(signal)
    world.run(8_000)
    expect(changes(world, 'ada')).toEqual(['online', 'offline'])
    const { state } = world.owner!
    expect(world.log.flatMap((record) => takeIn(state, record))).toEqual([])
  })

  test('one that is missing is noticed, and the gateway asked for all it has', () => {
    const world = settledWorld()
    const [gateway] = world.gateways
    gateway!.open('ada', 's1')
    world.run(500)
    gateway!.n += 1
    gateway!.sessions.set('s2', { user: 'bob', session: 's2', idle: false, since: world.time })
    world.run(3_000)
    expect(world.receiver.state('bob')).toBe('online')
  })

  test('a hole in the log itself makes the owner begin again', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(500)
    const { state } = world.owner!
    const events = takeIn(state, { offset: state.position + 5, time: world.time, signal: { kind: 'tick' } })
    expect(events).toEqual([{ kind: 'resync', gateway: undefined, fenced: undefined }])
    expect(state.settled).toBe(false)
  })

  test('typing is passed on as it is', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.gateways[0]!.say({ typing: [{ user: 'ada', room: 'room:x', typing: true }] })
    world.run(100)
    expect(world.events.at(-1)).toMatchObject({ kind: 'typing', user: 'ada', room: 'room:x', typing: true })
  })
})

test('at the very beginning of the log there is nobody to wait for', () => {
  const state = newPartition()
  const session = { user: 'ada', session: 's', idle: true }
  const signal = { kind: 'gateway' as const, gateway: 'g', epoch: 1, n: 1, full: { part: 1, of: 1 } }
  expect(takeIn(state, { offset: 0, time: 0, signal: { ...signal, sessions: [session] } })).toMatchObject([
    { kind: 'changed', user: 'ada', state: 'away' },
  ])
})

describe('a new owner', () => {
  test('tells nothing but who is surely online, until every gateway that lives has said all', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.gateways[1]!.open('bob', 's2', { idle: true })
    world.run(3_000)
    world.gateways[1]!.mode = 'frozen'
    world.disown()
    world.own(false)
    world.run(1_000)
    world.gateways[0]!.open('cid', 's3')
    world.run(2_000)
    expect(world.receiver.state('cid')).toBe('online')
    expect(world.receiver.state('bob')).toBe('away')
    world.gateways[1]!.wake()
    world.run(10_000)
    expect(world.owner!.state.settled).toBe(true)
    expect(['ada', 'bob', 'cid'].map((user) => world.receiver.state(user))).toEqual([
      'online',
      'away',
      'online',
    ])
    expect(changes(world, 'bob')).toEqual(['away'])
  })

  test('does not tell half of what somebody does', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.gateways[1]!.open('ada', 's2', { idle: true })
    world.run(3_000)
    world.gateways[0]!.mode = 'frozen'
    world.disown()
    world.own(false)
    world.run(500)
    world.gateways[1]!.change('s2', { idle: true })
    world.run(3_000)
    world.gateways[0]!.wake()
    world.run(10_000)
    expect(changes(world, 'ada')).toEqual(['online'])
  })

  test('with the latest records is settled as soon as the gateways answered', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.run(12_000)
    world.disown()
    world.own(true)
    world.run(1_200)
    expect(world.owner!.state.settled).toBe(true)
  })

  test('[S4] owes the grace of a session that ends before anybody said that it was there', () => {
    for (const back of [true, false]) {
      for (const inFull of [true, false]) {
        const world = settledWorld()
        world.gateways[0]!.open('ada', 's1')
        world.gateways[0]!.open('bob', 's2')
        world.run(12_000)
        world.disown()
        world.gateways[0]!.close('s1', graceMs, inFull)
        world.own(true)
        world.run(2_000)
        expect(world.owner!.state.settled).toBe(true)
        if (back) world.gateways[1]!.open('ada', 's3')
        world.run(10_000)
        expect(changes(world, 'ada')).toEqual(back ? ['online'] : ['online', 'offline'])
        expect(changes(world, 'bob')).toEqual(['online'])
      }
    }
  })

  test('does not believe the late words of a gateway of which it knows nothing else', () => {
    const world = settledWorld()
    const [gateway] = world.gateways
    gateway!.open('ada', 's1')
    world.run(3_000)
    gateway!.mode = 'dead'
    world.run(9_000)
    expect(changes(world, 'ada')).toEqual(['online', 'offline'])
    world.disown()
    gateway!.say({ sessions: [{ user: 'ada', session: 's1', idle: false }] })
    world.own(false)
    world.run(20_000)
    expect(world.owner!.state.settled).toBe(true)
    expect(changes(world, 'ada')).toEqual(['online', 'offline'])
  })

  test('ends what died with the last owner', () => {
    const world = settledWorld()
    world.gateways[0]!.open('ada', 's1')
    world.gateways[1]!.open('bob', 's2')
    world.run(5_000)
    world.gateways[0]!.mode = 'dead'
    world.disown()
    world.run(7_500)
    world.own(true)
    world.run(2_000)
    expect(changes(world, 'ada')).toEqual(['online', 'offline'])
    expect(changes(world, 'bob')).toEqual(['online'])
  })

  test('does not wait for ever for a gateway that beats and never says what it has', () => {
    const world = new World(['g1'])
    const [gateway] = world.gateways
    gateway!.open('ada', 's1')
    gateway!.asked = () => {}
    gateway!.n += 1
    world.run(rebuildMs + 2_000)
    expect(world.owner!.state.settled).toBe(true)
  })

  test('names many people in parts, and a receiver that missed one takes nobody for offline', () => {
    const state = newPartition()
    const sessions = Array.from({ length: 1_201 }, (_, i) => ({
      user: `u${i}`,
      session: `s${i}`,
      idle: false,
    }))
    const signal = {
      kind: 'gateway' as const,
      gateway: 'g',
      epoch: 1,
      n: 1,
      full: { part: 1, of: 1 },
      sessions,
    }
    const told = takeIn(state, { offset: 1, time: 0, signal })
    for (let second = 1; !state.settled; second += 1) {
      const beat = { kind: 'gateway' as const, gateway: 'g', epoch: 1, n: second + 1 }
      told.push(...takeIn(state, { offset: second + 1, time: second * 1_000, signal: beat }))
    }
    const rosters = told.filter((event) => event.kind === 'roster')
    expect(rosters.map(({ users }) => users.length)).toEqual([500, 500, 201])
    const whole = new Receiver()
    const late = new Receiver()
    for (const receiver of [whole, late]) {
      receiver.known.set('ghost', { state: 'online', version: 0 })
    }
    for (const event of rosters) whole.take(event)
    for (const event of rosters.slice(1)) late.take(event)
    expect(whole.state('ghost')).toBe('offline')
    expect(late.state('ghost')).toBe('online')
  })
})
