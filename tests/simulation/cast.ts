import { type Client, createClient } from '@klatsch/client'
import type { PresenceState } from '@klatsch/contracts'
import { type Switcher, switcher } from './switcher.ts'
import { actorOf, userId, type World } from './world.ts'

/** One thing that somebody was told about somebody. */
export interface ToldPresence {
  readonly observer: string
  readonly user: string
  readonly state: PresenceState
  readonly version: number
  /** Number of the observer's connection. */
  readonly connection: number
}

/** A member of every room, with a client that must have everything. */
export interface Person {
  readonly name: string
  readonly id: string
  readonly client: Client
  /** Messages said so far. */
  said: number
}

/** Somebody who comes and goes. */
export interface Visitor {
  readonly name: string
  readonly id: string
  readonly here: boolean
  come(): void
  go(): void
  choose(dnd: boolean): void
}

/** Everyone who has a client, and the rooms that they are in. */
export interface Cast {
  readonly people: readonly Person[]
  readonly visitors: readonly Visitor[]
  readonly switchers: readonly Switcher[]
  readonly rooms: readonly string[]
  /** Where people come and go, and nobody must have everything. */
  readonly lobby: string
  /** By id, for those who read the story. */
  readonly names: ReadonlyMap<string, string>
  readonly told: readonly ToldPresence[]
  say(person: Person, room: string, text: string): void
  join(person: Person, joins: boolean): void
}

/** Lets everyone come, and makes the rooms. */
export async function assemble(world: World): Promise<Cast> {
  const { sim, plan, sends, observers } = world
  const { setup } = plan
  const ids = commandIds(sim.random, sim.now)
  const told: ToldPresence[] = []
  const names = new Map<string, string>()
  const name = (what: string, n: number): { name: string; id: string } => {
    const named = { name: `${what}-${n + 1}`, id: userId(what === 'person' ? n + 1 : 101 + n) }
    names.set(named.id, named.name)
    return named
  }
  const list = <T>(count: number, make: (n: number) => T): T[] =>
    Array.from({ length: count }, (_, n) => make(n))
  const everyone = [
    ...list(setup.people, (n) => name('person', n)),
    ...list(setup.visitors, (n) => name('visitor', n)),
  ]
  const people = list(setup.people, (n) => newPerson(n))
  const visitors = list(setup.visitors, (n) => newVisitor(n))

  function newPerson(n: number): Person {
    const { name: called, id } = everyone[n]!
    const process = sim.process(called)
    const client = createClient({
      url: 'simulated',
      token: async () => id,
      scheduler: process,
      random: sim.random,
      newId: ids,
      bugs: world.bugs,
      openSocket: () => world.dial(id, process).socket,
    })
    const last = new Map<string, number>()
    client.on('event', (event) => {
      if (!event.subject.startsWith('room:')) return
      last.set(event.subject, event.seq)
      world.saw(id, event)
    })
    // A page takes over HTTP what is before it was pushed anything, and what a reset passes by; here that is the record.
    const page = (subject: string, head: number) => {
      for (const event of world.eventsOf(subject).slice(last.get(subject) ?? 0, head)) {
        if (!event.subject.startsWith('room:')) continue
        last.set(subject, event.seq)
        world.saw(id, event)
      }
    }
    client.on('reset', ({ subject, head }) => page(subject, head))
    client.on('live', ({ subject, head }) => {
      if (!last.has(subject)) page(subject, head)
    })
    client.on('presence', ({ user, state, version }) =>
      told.push({ observer: called, user, state, version, connection: client.counts.connections }),
    )
    client.presence.watch({ users: everyone.map((each) => each.id) })
    client.connect()
    return { name: called, id, client, said: 0 }
  }

  function newVisitor(n: number): Visitor {
    const { name: called, id } = everyone[setup.people + n]!
    const process = sim.process(called)
    let client: Client | undefined
    return {
      name: called,
      id,
      get here() {
        return client !== undefined
      },
      come() {
        client ??= createClient({
          url: 'simulated',
          token: async () => id,
          follow: [],
          scheduler: process,
          random: sim.random,
          newId: ids,
          openSocket: () => world.dial(id, process).socket,
        })
        client.connect()
      },
      go() {
        void client?.close()
        client = undefined
      },
      choose: (dnd) => client?.presence.say({ dnd }),
    }
  }

  const outcome = (client: Client, ...[type, subject, data]: Parameters<Client['command']>) =>
    client.command(type, subject, data, { id: ids() }).outcome

  const [owner, ...others] = people as [Person, ...Person[]]
  const rooms: string[] = []
  for (let n = 0; n < setup.rooms; n += 1) {
    const made = await world.done(
      outcome(owner.client, 'chat.room.create.v1', undefined, { name: `room ${n + 1}` }),
    )
    rooms.push(made.subject)
    names.set(made.subject, `room ${n + 1}`)
    observers.push({ observer: owner.id, room: made.subject, from: made.seq + 1 })
    for (const other of others) {
      const { seq } = await world.done(outcome(other.client, 'chat.room.join.v1', made.subject, {}))
      observers.push({ observer: other.id, room: made.subject, from: seq })
    }
  }

  const switchers = people.slice(0, setup.switchers).map(({ id }, index) => {
    const observer = `switcher-${index + 1}`
    for (const room of rooms) observers.push({ observer, room, from: 1 })
    return switcher({
      user: id,
      rooms,
      process: sim.process(observer),
      random: sim.random,
      dial: (process) => world.dial(id, process),
      page: (room, upTo) => world.eventsOf(room).slice(0, upTo),
      see: (event) => world.saw(observer, event),
    })
  })
  const { subject: lobby } = await world.done(
    outcome(owner.client, 'chat.room.create.v1', undefined, { name: 'lobby' }),
  )
  names.set(lobby, 'the lobby')

  return {
    people,
    visitors,
    switchers,
    rooms,
    lobby,
    names,
    told,
    say(person, room, text) {
      const at = sends.length
      const command = ids()
      const send = { actor: actorOf(person.id), device: person.id, command, room, text, order: person.said++ }
      sends.push({ ...send, outcome: { kind: 'unknown' } })
      person.client.command('chat.message.send.v1', room, { text }, { id: command }).outcome.then(
        ({ seq }) => {
          sends[at] = { ...send, outcome: { kind: 'acked', seq } }
        },
        (error: { code: string }) => {
          sends[at] = { ...send, outcome: { kind: 'rejected', code: error.code } }
        },
      )
    },
    join(person, joins) {
      const type = joins ? 'chat.room.join.v1' : 'chat.room.leave.v1'
      outcome(person.client, type, lobby, {}).catch(() => {})
    },
  }
}

/** UUIDv7s that the seed decides. */
function commandIds(random: () => number, now: () => number): () => string {
  const digits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('')
  return () => {
    const time = Math.floor(now()).toString(16).padStart(12, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${digits(3)}-8${digits(3)}-${digits(12)}`
  }
}
