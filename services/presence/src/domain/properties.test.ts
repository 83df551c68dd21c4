import { presenceTimes } from '@klatsch/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type SimGateway, World } from '../../test/world.ts'
import { stateOf } from './people.ts'

const USERS = ['ada', 'bob', 'cid', 'dot']
/** A ghost lives no longer than this, by the log; a state needs no longer than this to be told. */
const GHOST_MS = 10_000
const TOLD_MS = 300
/** Longer than presence is ever away here: whoever is here for so long was told. */
const LONG_MS = 12_000

type Step =
  | { do: 'open'; gateway: number; user: string; idle: boolean }
  | { do: 'close'; gateway: number; inFull: boolean }
  | { do: 'touch'; gateway: number; idle: boolean }
  | { do: 'dnd'; gateway: number; dnd: boolean }
  | { do: 'die' | 'restart' | 'freeze' | 'wake'; gateway: number }
  | { do: 'lose a record'; gateway: number; user: string }
  | { do: 'repeat records'; back: number }
  | { do: 'hand over'; downMs: number; behind: number; withLatest: boolean }
type Move = { wait: number; step: Step }

const gateway = fc.nat(2)
const user = fc.constantFrom(...USERS)
const some = <T extends Step['do']>(...what: T[]) => fc.constantFrom(...what)
const ordinary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: some('open'), gateway, user, idle: fc.boolean() }),
  fc.record({ do: some('close'), gateway, inFull: fc.boolean() }),
  fc.record({ do: some('touch'), gateway, idle: fc.boolean() }),
  fc.record({ do: some('dnd'), gateway, dnd: fc.boolean() }),
)
const trouble: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: some('die', 'restart', 'freeze', 'wake'), gateway }),
  fc.record({ do: some('lose a record'), gateway, user }),
  fc.record({ do: some('repeat records'), back: fc.nat(6) }),
)
const handOver = (withLatest: fc.Arbitrary<boolean>): fc.Arbitrary<Step> =>
  fc.record({
    do: some('hand over'),
    downMs: fc.integer({ min: 0, max: 9_000 }),
    behind: fc.nat(4),
    withLatest,
  })
const moves = (...steps: fc.Arbitrary<Step>[]): fc.Arbitrary<Move[]> =>
  fc.array(fc.record({ wait: fc.integer({ min: 0, max: 4_000 }), step: fc.oneof(...steps) }), {
    minLength: 1,
    maxLength: 40,
  })

/** Who is here in truth, and for how long surely or surely not; compared with what the receiver believes. */
class Truth {
  readonly world = new World()
  readonly #goneSince = new Map<string, { at: number; down: number }>()
  #sessions = 0
  #handOvers = 0
  /** How much longer than promised a ghost may live, because presence itself was away. */
  readonly slack: (sinceDownMs: number, handOvers: number) => number

  constructor(slack: Truth['slack'] = () => 0) {
    this.slack = slack
  }

  gatewayOf(index: number): SimGateway {
    return this.world.gateways[index]!
  }

  do(step: Step): void {
    const { world } = this
    switch (step.do) {
      case 'open':
        if (this.gatewayOf(step.gateway).mode !== 'live') return
        this.#sessions += 1
        this.gatewayOf(step.gateway).open(step.user, `s${this.#sessions}`, { idle: step.idle })
        return
      case 'close':
        this.#some(step.gateway, (gateway, session) =>
          gateway.close(session, presenceTimes.graceMs, step.inFull),
        )
        return
      case 'touch':
        this.#some(step.gateway, (gateway, session) => gateway.change(session, { idle: step.idle }))
        return
      case 'dnd': {
        const chosen = { dnd: step.dnd, hideLastSeen: false, at: world.time }
        this.#some(step.gateway, (gateway, session) => gateway.change(session, { chosen }))
        return
      }
      case 'die':
        this.gatewayOf(step.gateway).mode = 'dead'
        this.gatewayOf(step.gateway).sessions.clear()
        return
      case 'restart':
        if (this.gatewayOf(step.gateway).mode !== 'dead') return
        this.gatewayOf(step.gateway).mode = 'live'
        return
      case 'freeze':
        if (this.gatewayOf(step.gateway).mode === 'live') this.gatewayOf(step.gateway).mode = 'frozen'
        return
      case 'wake':
        if (this.gatewayOf(step.gateway).mode === 'frozen') this.gatewayOf(step.gateway).wake()
        return
      case 'lose a record': {
        const gateway = this.gatewayOf(step.gateway)
        if (gateway.mode !== 'live' || gateway.sessions.size === 0) return
        this.#sessions += 1
        const session = `s${this.#sessions}`
        gateway.n += 1
        const since = world.time + 2_500
        gateway.sessions.set(session, { user: step.user, session, idle: false, since })
        return
      }
      case 'repeat records':
        for (const { signal } of world.log.slice(world.log.length - step.back)) world.append(signal)
        return
      case 'hand over':
        world.disown(step.behind)
        this.#handOvers += 1
        world.run(step.downMs, this.check)
        world.own(step.withLatest)
        return
    }
  }

  /** The oldest session of that gateway, if it may do something with it now. */
  #some(index: number, act: (gateway: SimGateway, session: string) => void): void {
    const gateway = this.gatewayOf(index)
    const [session] = gateway.sessions.keys()
    if (gateway.mode === 'live' && session !== undefined) act(gateway, session)
  }

  readonly check = (): void => {
    const { world } = this
    for (const user of USERS) {
      const believed = world.receiver.state(user)
      const sessions = world.gateways.flatMap((each) =>
        each.mode === 'dead' || (each.mode === 'frozen' && world.time - each.saidAt > 6_000)
          ? []
          : [...each.sessions.values()]
              .filter((session) => session.user === user)
              .map((session) => ({ ...session, since: Math.max(session.since, each.steadySince) })),
      )
      if (sessions.length === 0) {
        const gone = this.#goneSince.get(user) ?? { at: world.time, down: world.downMs }
        this.#goneSince.set(user, gone)
        const away = world.downMs - gone.down
        const bound = GHOST_MS + this.slack(away, this.#handOvers)
        if (world.owner && world.time - gone.at > bound && believed && believed !== 'offline') {
          throw new Error(`${user} is a ghost for ${world.time - gone.at} ms`)
        }
        continue
      }
      this.#goneSince.delete(user)
      // An active session is told at once, by whoever owns the partition; an idle one once that is settled.
      const needed = world.downMs === 0 ? TOLD_MS : LONG_MS
      const sure = sessions.some(({ idle, since }) => !idle && world.time - since > needed)
      if (sure && believed === 'offline') {
        throw new Error(`${user} is taken for offline`)
      }
    }
  }

  /** Time goes by until all is told: then everyone believes the truth, and so does any new owner. */
  end(): void {
    const { world } = this
    for (const each of world.gateways) if (each.mode === 'frozen') each.wake()
    if (!world.owner) world.own(true)
    world.run(20_000, this.check)
    const expected = Object.fromEntries(
      USERS.map((user) => [
        user,
        stateOf(
          world.gateways.flatMap((each) =>
            [...each.sessions.values()]
              .filter((s) => s.user === user)
              .map((s) => ({ ...s, gateway: each.name })),
          ),
        ),
      ]),
    )
    const believed = () =>
      Object.fromEntries(USERS.map((user) => [user, world.receiver.state(user) ?? 'offline']))
    expect(believed()).toEqual(expected)
    world.disown(3)
    world.own(false)
    world.run(20_000)
    expect(believed()).toEqual(expected)
    expect(world.owner!.state.settled).toBe(true)

    const states = [...world.owner!.state.people].map(([user, { held }]) => [user, stateOf(held)])
    expect(Object.fromEntries(states)).toEqual(
      Object.fromEntries(Object.entries(expected).filter(([, state]) => state !== 'offline')),
    )
    for (const user of USERS) {
      const told = world.receiver.history.filter((entry) => entry.user === user)
      const versions = told.map(({ version }) => version)
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
    }
  }
}

function play(truth: Truth, all: readonly Move[]): void {
  truth.world.append({ kind: 'tick' })
  truth.world.run(9_000, truth.check)
  for (const { wait, step } of all) {
    truth.world.run(wait, truth.check)
    truth.do(step)
    truth.world.catchUp()
    truth.check()
  }
  truth.end()
}

test('no ghost beyond 10 s, nobody falsely offline, and in the end the truth', () => {
  fc.assert(
    fc.property(moves(ordinary, trouble), (all) => play(new Truth(), all)),
    { numRuns: 400 },
  )
})

test('the same with owners that change, except for the time in which there was none', () => {
  // Without the latest records, an owner waits out a lease first.
  const slack = (away: number, handOvers: number) => away + handOvers * 8_500
  fc.assert(
    fc.property(moves(ordinary, trouble, handOver(fc.boolean())), (all) => play(new Truth(slack), all)),
    { numRuns: 400 },
  )
})

test('an owner that reads the latest records costs nothing but two ticks and the time in which there was none', () => {
  const slack = (away: number, handOvers: number) => away + handOvers * 2 * presenceTimes.tickMs
  fc.assert(
    fc.property(moves(ordinary, trouble, handOver(fc.constant(true))), (all) => play(new Truth(slack), all)),
    { numRuns: 400 },
  )
})
