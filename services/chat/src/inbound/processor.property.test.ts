import { GLOBAL_ROOM, userSubject } from '@klatsch/contracts'
import { PassingFault } from '@klatsch/event-bus'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as make from '../../test/commands.ts'
import { faultsOf, tablesOf } from '../../test/history.ts'
import { eventsOf, followUpsOf } from '../../test/publisher.ts'
import { calm, newWorld } from '../../test/world.ts'

describe('whatever is asked, in whatever batches, however often', () => {
  const people = ['ada', 'bob', 'cyd']
  const person = fc.constantFrom(...people)
  const wish = fc.oneof(
    fc.record({ kind: fc.constant('create' as const), by: person, closed: fc.boolean() }),
    fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), by: person, room: fc.nat(4) }),
    fc.record({
      kind: fc.constant('rename' as const),
      by: person,
      room: fc.nat(4),
      text: fc.constantFrom('A', 'B'),
    }),
    fc.record({
      kind: fc.constant('send' as const),
      by: person,
      room: fc.nat(4),
      text: fc.constantFrom('x', 'y'),
    }),
    fc.record({ kind: fc.constant('again' as const), which: fc.nat(100) }),
  )
  type Wish = typeof wish extends fc.Arbitrary<infer W> ? W : never
  const script = fc.record({
    wishes: fc.array(wish, { maxLength: 60 }),
    cuts: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 60, maxLength: 60 }),
    faults: fc.array(
      fc.constantFrom('no' as const, 'no' as const, 'refused' as const, 'answer lost' as const),
      {
        minLength: 60,
        maxLength: 60,
      },
    ),
  })

  function commandsOf(wishes: readonly Wish[]): make.TestCommand[] {
    const all: make.TestCommand[] = []
    const rooms: string[] = [GLOBAL_ROOM]
    for (const one of wishes) {
      const room = rooms['room' in one ? one.room % rooms.length : 0] ?? GLOBAL_ROOM
      switch (one.kind) {
        case 'create': {
          const made = one.closed ? make.createPrivate(one.by) : make.create(one.by)
          rooms.push(made.subject)
          all.push(made)
          break
        }
        case 'join':
          all.push(make.join(room, one.by))
          break
        case 'leave':
          all.push(make.leave(room, one.by))
          break
        case 'rename':
          all.push(make.rename(room, one.text, one.by))
          break
        case 'send':
          all.push(make.send(room, one.text, one.by))
          break
        case 'again': {
          const before = all[one.which % Math.max(1, all.length)]
          if (before) all.push(before)
          break
        }
      }
    }
    return all
  }

  test('streams are whole, tables are what the events say, the log has everything in order', async () => {
    await fc.assert(
      fc.asyncProperty(script, async ({ wishes, cuts, faults }) => {
        const world = await newWorld()
        const commands = commandsOf(wishes)
        for (let at = 0, turn = 0; at < commands.length; turn++) {
          const batch = commands.slice(at, at + (cuts[turn] ?? 1))
          world.publisher.failing = faults[turn] ?? 'no'
          await world.feed(...batch).catch((error) => expect(error).toBeInstanceOf(PassingFault))
          if (world.publisher.failing === 'no') at += batch.length
        }
        world.publisher.failing = 'no'
        for (let partition = 0; partition < 12; partition++) await world.processor.sweep(partition)
        // Follow-ups come in any order and more than once.
        for (const { key, value } of followUpsOf(world.log).toReversed()) {
          await world.processor.handle([make.rawRecord(key, value)], calm)
        }
        const { store } = world
        for (const events of store.events.values()) {
          expect(faultsOf(events.map(({ bytes }) => JSON.parse(bytes)))).toEqual([])
        }
        const tables = tablesOf(store.events)
        expect(store.messages).toEqual(tables.messages)
        expect(store.members).toEqual(tables.members)
        expect(store.userRooms).toEqual(tables.userRooms)
        for (const [room, row] of tables.rooms) expect(store.rooms.get(room)).toMatchObject(row)
        for (const [stream, events] of store.events) {
          const onLog = eventsOf(world.log).filter(({ subject }) => subject === stream)
          const firsts = onLog.filter(({ seq }, i) => onLog.findIndex((other) => other.seq === seq) === i)
          expect(firsts.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq))
        }
        // What a user's own stream says is what the rooms say.
        for (const name of people) {
          const rooms = [...store.members.keys()].filter((key) => key.endsWith(make.userId(name)))
          const told = [...store.userRooms.values()].filter(
            ({ user, member }) => member && userSubject(user) === make.actor(name),
          )
          expect(told.map(({ room, user }) => `${room} ${user}`).sort()).toEqual(rooms.sort())
        }
      }),
      { numRuns: 300 },
    )
  })

  test('the same commands in one batch or one by one have the same outcomes and events', async () => {
    await fc.assert(
      fc.asyncProperty(script, async ({ wishes, cuts }) => {
        const commands = commandsOf(wishes)
        const run = async (sizes: readonly number[]) => {
          const world = await newWorld()
          for (let at = 0, turn = 0; at < commands.length; turn++) {
            const size = sizes[turn] ?? 1
            await world.feed(...commands.slice(at, at + size))
            at += size
          }
          return { outcomes: world.store.outcomes, events: world.store.events }
        }
        const oneByOne = await run([])
        expect(await run(cuts)).toEqual(oneByOne)
        expect(await run([commands.length])).toEqual(oneByOne)
      }),
      { numRuns: 100 },
    )
  })
})
