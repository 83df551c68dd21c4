import { presenceTimes, topics } from '@klatsch/contracts'
import { noFaults } from './calls.ts'
import type { Cast } from './cast.ts'
import type { Step, StepKind } from './plan.ts'
import { LATEST_MS } from './presence-process.ts'
import type { Wire } from './wire.ts'
import type { World } from './world.ts'

/** Does what a step says, and answers it in words; undefined where there is nothing it could be done to. */
type Deed = (world: World, cast: Cast, step: Step) => Promise<string | undefined> | string | undefined

const FREEZE_MS = 20_000
/** Far shorter than a lease: nobody may notice. */
const HELD_UP_MS = 400
/** A request under way for longer than a lease. */
const LATE_MS = 14_000
/** From the end of a fault of the log until what it held up has come. */
const AFTERMATH_MS = 10_000

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
const at = <T>(from: readonly T[], fraction: number): T => from[Math.floor(fraction * from.length)]!

/** Takes one of them out of the list. */
function take<T>(from: T[], fraction: number): T {
  const one = at(from, fraction)
  from.splice(from.indexOf(one), 1)
  return one
}

function onWire(world: World, step: Step, what: string, deed: (wire: Wire) => void): string | undefined {
  const open = [...world.wires].filter((each) => each.open)
  if (open.length === 0) return undefined
  const one = at(open, step.a)
  deed(one)
  return `${one.name} ${what}`
}

/** The gateway at which somebody is, if it is one that runs. */
function hostOf(world: World, user: string): World['gateways'][number] | undefined {
  const host = [...world.wires].findLast((each) => each.open && each.user === user)?.host
  return world.gateways.find((each) => each === host && each.process.state === 'running')
}

export const deeds: Readonly<Record<StepKind, Deed>> = {
  say(_, cast, { n, a, b }) {
    const [person, room] = [at(cast.people, a), at(cast.rooms, b)]
    cast.say(person, room, `message ${n}`)
    return `${person.name} says "message ${n}" in ${cast.names.get(room)}`
  },
  'say a lot'(_, cast, { n, a }) {
    const some = cast.people.slice(0, 1 + Math.floor(a * cast.people.length))
    for (const person of some) for (const room of cast.rooms) cast.say(person, room, `message ${n}`)
    return `${some.map(({ name }) => name).join(', ')} say "message ${n}" in every room`
  },
  'join or leave'(_, cast, { a, b }) {
    const person = at(cast.people, a)
    cast.join(person, b < 0.5)
    return `${person.name} ${b < 0.5 ? 'joins' : 'leaves'} the lobby`
  },
  'switch rooms'(_, cast, { a, b }) {
    if (cast.switchers.length === 0) return undefined
    at(cast.switchers, a).turn(b)
    return `a switcher looks elsewhere`
  },
  'look at a room'(_, cast, { n, a, b }) {
    const [person, room] = [at(cast.people, a), at(cast.rooms, b)]
    const mode = n % 2 === 0 ? 'full' : 'digest'
    person.client.follow(room, { mode })
    return `${person.name} follows ${cast.names.get(room)} ${mode === 'full' ? 'in full' : 'by digests'}`
  },
  'come or go'(_, cast, { a }) {
    if (cast.visitors.length === 0) return undefined
    const visitor = at(cast.visitors, a)
    const comes = !visitor.here
    if (comes) visitor.come()
    else visitor.go()
    return `${visitor.name} ${comes ? 'comes' : 'goes'}`
  },
  'reload a page'(world, cast, { a, b }) {
    if (cast.visitors.length === 0) return undefined
    const visitor = at(cast.visitors, a)
    visitor.go()
    world.sim.after(b * 1_500, () => visitor.come())
    return `${visitor.name} reloads the page, which takes ${seconds(b * 1_500)}`
  },
  /**
   * A page is reloaded in the second in which its partition gets another owner, who finds nothing of it on the log. Every
   * other time its gateway is held up just then, so that it hears of both in one moment.
   */
  async 'reload as presence moves'(world, cast, { n, a, b }) {
    if (cast.visitors.length === 0) return undefined
    const visitor = at(cast.visitors, a)
    visitor.come()
    await world.sim.runFor(LATEST_MS)
    world.bus.faults.rebalance('presence')
    const leavesMs = b * 1_200
    const process = n % 2 === 0 ? hostOf(world, visitor.id)?.process : undefined
    if (process) {
      let held = false
      world.sim.after(Math.max(0, leavesMs - HELD_UP_MS / 2), () => {
        held = process.state === 'running'
        process.freeze()
      })
      // Whoever froze it for longer thaws it.
      world.sim.after(leavesMs + HELD_UP_MS / 2, () => held && process.thaw())
    }
    world.sim.after(leavesMs, () => visitor.go())
    world.sim.after(leavesMs + 1_500, () => visitor.come())
    const heldUp = process ? `, while ${process.name} is held up` : ''
    return `${visitor.name} is here for long; presence is dealt anew, and ${Math.round(leavesMs)} ms later the page is reloaded${heldUp}`
  },

  async 'kill a chat'(world, _, { a }) {
    const { process } = take(world.chats, a)
    process.kill()
    await world.newChat()
    return `${process.name} is killed, ${world.chats.at(-1)!.process.name} is started`
  },
  'freeze a chat'(world, _, { a, b }) {
    const { process } = at(world.chats, a)
    if (process.state !== 'running') return undefined
    process.freeze()
    world.sim.after(b * FREEZE_MS, () => process.thaw())
    return `${process.name} is frozen for ${seconds(b * FREEZE_MS)}`
  },
  'expel a chat'(world, _, { a }) {
    const { process, consumer } = at(world.chats, a)
    world.bus.faults.expel(consumer)
    return `${process.name} is expelled from its group, and does not know it yet`
  },
  'move the commands'(world) {
    world.bus.faults.rebalance('chat')
    return 'the partitions of the commands are dealt anew'
  },

  async 'kill a gateway'(world, _, { a }) {
    const one = take(world.gateways, a)
    one.process.kill()
    world.lives.died(one.process.name)
    world.cutOff(one)
    await world.newGateway()
    return `${one.process.name} is killed, ${world.gateways.at(-1)!.process.name} is started`
  },
  async 'shut a gateway down'(world, _, { a, b }) {
    if (at(world.gateways, a).process.state !== 'running') return undefined
    const one = take(world.gateways, a)
    await world.newGateway()
    void one.shutDown(b * 5_000).then(() => {
      one.process.kill()
      world.lives.died(one.process.name)
      world.cutOff(one)
    })
    return `${one.process.name} shuts down within ${seconds(b * 5_000)}, ${world.gateways.at(-1)!.process.name} is started`
  },
  'freeze a gateway'(world, _, { a, b }) {
    const { process } = at(world.gateways, a)
    if (process.state !== 'running') return undefined
    process.freeze()
    world.lives.froze(process.name, b * FREEZE_MS)
    world.sim.after(b * FREEZE_MS, () => process.thaw())
    return `${process.name} is frozen for ${seconds(b * FREEZE_MS)}`
  },
  /** What a gateway said last is appended when its lease is over, and it and the person it was about are gone. */
  async 'let last words come late'(world, cast, { a }) {
    const visitor = cast.visitors.length === 0 ? undefined : at(cast.visitors, a)
    const one = visitor && hostOf(world, visitor.id)
    if (!one) return undefined
    world.gateways.splice(world.gateways.indexOf(one), 1)
    await world.newGateway()
    world.bus.faults.publish({ leastMs: presenceTimes.leaseMs + 1_000, extraMs: LATE_MS }, one.process)
    visitor.choose(world.sim.random() < 0.5)
    world.sim.after(400, () => {
      one.process.kill()
      world.lives.died(one.process.name)
      world.cutOff(one)
      visitor.go()
    })
    return `${one.process.name} speaks of ${visitor.name} on a slow way, is killed, and ${visitor.name} goes`
  },

  async 'kill a presence'(world, _, { a }) {
    const { process } = take(world.presences, a)
    process.kill()
    await world.newPresence()
    return `${process.name} is killed, ${world.presences.at(-1)!.process.name} is started`
  },
  'freeze a presence'(world, _, { a, b }) {
    const { process } = at(world.presences, a)
    if (process.state !== 'running') return undefined
    process.freeze()
    world.sim.after(b * FREEZE_MS, () => process.thaw())
    return `${process.name} is frozen for ${seconds(b * FREEZE_MS)}`
  },
  'move the signals'(world) {
    world.bus.faults.rebalance('presence')
    return 'the partitions of presence are dealt anew'
  },

  'make the log unreliable'(world, _, { a, b }) {
    const [lost, more] = [a * 0.3, b * 0.3]
    world.bus.faults.publish({
      requestLost: lost,
      answerLost: more,
      appendedTwice: lost / 2,
      extraMs: b * 200,
    })
    world.lives.unwell()
    return `the log loses ${percent(lost)} of requests and ${percent(more)} of answers`
  },
  'make the log whole'(world) {
    world.bus.faults.publish({})
    world.lives.well(AFTERMATH_MS)
    return 'the log is reliable again'
  },
  'repeat commands'(world, _, { a }) {
    world.bus.faults.delivery('chat', { repeated: a * 0.5 })
    return `${percent(a * 0.5)} of commands are delivered again`
  },
  'hide events'(world, _, { a, b }) {
    const { name } = at(world.gateways, a).process
    const rates = { skipped: b * 0.3, repeated: a * 0.3 }
    world.bus.faults.delivery(name, { ...rates, topics: [topics.events.name, topics.replies.name] })
    return `${name} misses ${percent(rates.skipped)} of what is said, and hears ${percent(rates.repeated)} twice`
  },
  'take the database away'(world, _, { a, b }) {
    Object.assign(world.faults, { refused: a * 0.5, undone: b * 0.3, answerLost: b * 0.5 })
    return `the database refuses ${percent(a * 0.5)}, undoes ${percent(b * 0.3)} and loses ${percent(b * 0.5)} of answers`
  },
  'give the database back'(world) {
    Object.assign(world.faults, noFaults)
    return 'the database is back'
  },

  'cut a socket': (world, _, step) => onWire(world, step, 'is cut off', (one) => one.cut()),
  'send a socket elsewhere': (world, _, step) =>
    onWire(world, step, 'is told to go elsewhere', (one) => one.goAway(step.b * 3_000)),
  'silence a socket': (world, _, step) =>
    onWire(world, step, 'hears and is heard no more', (one) => one.mute()),
  'slow a socket': (world, _, step) =>
    onWire(world, step, `is slower by ${Math.round(step.b * 400)} ms`, (one) => one.slow(step.b * 400)),
  'clog a socket': (world, _, step) =>
    onWire(world, step, `has no room for ${seconds(step.b * 3_000)}`, (one) => one.clog(step.b * 3_000)),
}

const percent = (chance: number): string => `${Math.round(chance * 100)} %`

/** Nothing is wrong with anything any more. */
export function calm(world: World): void {
  world.bus.faults.publish({})
  world.lives.well(AFTERMATH_MS)
  world.bus.faults.delivery('chat', {})
  for (const { process } of world.gateways) world.bus.faults.delivery(process.name, {})
  Object.assign(world.faults, noFaults)
  for (const { process } of [...world.chats, ...world.gateways, ...world.presences]) process.thaw()
  world.lives.thawed()
}
