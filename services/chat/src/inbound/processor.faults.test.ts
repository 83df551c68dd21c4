import { KlatschError } from '@klatsch/contracts'
import { calmPoint, type FaultPoint } from '@klatsch/service-kit'
import { expect, test } from 'vitest'
import * as make from '../../test/commands.ts'
import { recordingPublisher } from '../../test/publisher.ts'
import { calm } from '../../test/world.ts'
import { globalRoomRequest, makeGlobalRoom } from '../domain/global-room.ts'
import { memoryStore } from '../outbound/memory-store.ts'
import { commandProcessor } from './processor.ts'

/** A processor with a fault in one room, and a count of its transactions. */
async function worldWith(room: string, strike: () => Promise<void>) {
  const store = memoryStore()
  await store.transact(globalRoomRequest, (loaded) => makeGlobalRoom(loaded, 0, () => 'salt'))
  let transactions = 0
  const persist: FaultPoint = {
    ...calmPoint,
    armed: true,
    strike: async (targets) => {
      if (targets.some((target) => target.room === room)) await strike()
    },
  }
  const processor = commandProcessor({
    store: {
      ...store,
      transact: (request, decide) => {
        transactions += 1
        return store.transact(request, decide)
      },
    },
    publisher: recordingPublisher(),
    now: () => 0,
    newSalt: () => 'salt',
    faults: { persist, persisted: calmPoint },
  })
  const partition = (number: number, { record }: make.TestCommand) =>
    processor.handle([record], { ...calm, partition: number })
  return { partition, transactions: () => transactions }
}

/** Of so many partitions; the first two come when nobody is there, and the others together while those are worked on. */
const people = ['first', 'second', 'bad', 'good', 'better']
const rooms = () => people.map((name) => make.create(name))

test('a partition with a room that fails costs those it came with no transaction of their own', async () => {
  const commands = rooms()
  const world = await worldWith(commands[2]!.subject, async () => {
    throw new KlatschError('server.internal')
  })
  const done = await Promise.allSettled(commands.map((command, index) => world.partition(index, command)))
  expect(done.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true])
  expect(world.transactions()).toBe(3)
})

test('a partition with a room that hangs holds up no other', async () => {
  const over = Promise.withResolvers<void>()
  const commands = rooms()
  const world = await worldWith(commands[2]!.subject, () => over.promise)
  const done = commands.map((command, index) => world.partition(index, command))
  await Promise.all(done.toSpliced(2, 1))
  over.resolve()
  await done[2]
})
