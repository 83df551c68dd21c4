import { type Command, createdRoomSubject, GLOBAL_ROOM, parseCommand } from '@klatsch/contracts'
import { describe, expect, test } from 'vitest'
import * as make from '../../test/commands.ts'
import type { NewEvent } from './decision.ts'
import { decideRoom, evolveRoom, noRoom, type RoomCommand } from './room.ts'

const { userId, actor } = make
const ROOM = 'room:kitchen'

function commandOf({ record }: make.TestCommand): RoomCommand {
  const parsed = parseCommand(JSON.parse(record.value.toString()))
  if (!parsed.ok) throw new Error(parsed.detail)
  return parsed.command as Command as RoomCommand
}
const given = (...events: NewEvent[]) => ({
  when: (command: make.TestCommand) => {
    const state = events.reduce(evolveRoom, noRoom)
    return decideRoom(state, commandOf(command))
  },
})

const created = (visibility: 'public' | 'private' = 'public'): NewEvent => ({
  type: 'chat.room.created.v1',
  data: { name: 'Kitchen', topic: '', visibility },
})
const joined = (name: string): NewEvent => ({ type: 'chat.member.joined.v1', data: { user: userId(name) } })
const left = (name: string): NewEvent => ({ type: 'chat.member.left.v1', data: { user: userId(name) } })
const sent = (text: string, messageNo: number): NewEvent => ({
  type: 'chat.message.sent.v1',
  data: { text, messageNo },
})

const accepted = (...events: NewEvent[]) => ({ kind: 'accepted', events })
const rejected = (code: string) => expect.objectContaining({ kind: 'rejected', code })

describe('creating a room', () => {
  test('makes the creator its first member', () => {
    expect(given().when(make.create('ada'))).toEqual(accepted(created(), joined('ada')))
  })
  test('[C3] is refused where the subject does not follow from the actor and the id', () => {
    const elsewhere = make.command('ada', 'chat.room.create.v1', ROOM, { name: 'Kitchen' })
    expect(given().when(elsewhere)).toEqual(rejected('command.invalid'))
    const id = make.create('ada').id
    const stolen = make.command(
      'eve',
      'chat.room.create.v1',
      createdRoomSubject(actor('ada'), id),
      { name: 'K' },
      { id },
    )
    expect(given().when(stolen)).toEqual(rejected('command.invalid'))
  })
  test('is refused where there is one', () => {
    expect(given(created()).when(make.create('ada'))).toEqual(rejected('command.id_reused'))
  })
})

describe('in a room', () => {
  test('members write, and messages are counted', () => {
    const kitchen = given(created(), joined('ada'), sent('one', 1), sent('two', 2))
    expect(kitchen.when(make.send(ROOM, 'three', 'ada'))).toEqual(accepted(sent('three', 3)))
  })
  test('[C3] the room that everyone shares keeps its name', () => {
    const everyone = given(created(), joined('ada'))
    expect(everyone.when(make.rename(GLOBAL_ROOM, 'Mine', 'ada'))).toEqual(rejected('room.not_allowed'))
  })
  test('a rename is always an event, and says the whole room', () => {
    const kitchen = given(created(), joined('ada'))
    const renamed = {
      type: 'chat.room.renamed.v1',
      data: { name: 'Kitchen', topic: '', visibility: 'public' },
    } as const
    expect(kitchen.when(make.rename(ROOM, 'Kitchen', 'ada'))).toEqual(accepted(renamed))
    const topicOnly = make.command('ada', 'chat.room.rename.v1', ROOM, { topic: 'Tea' })
    expect(kitchen.when(topicOnly)).toEqual(accepted({ ...renamed, data: { ...renamed.data, topic: 'Tea' } }))
  })
  test('joining twice is so already', () => {
    expect(given(created(), joined('ada')).when(make.join(ROOM, 'ada'))).toEqual(accepted())
  })
  test('one may leave, and come back', () => {
    const kitchen = given(created(), joined('ada'))
    expect(kitchen.when(make.leave(ROOM, 'ada'))).toEqual(accepted(left('ada')))
    expect(given(created(), joined('ada'), left('ada')).when(make.join(ROOM, 'ada'))).toEqual(
      accepted(joined('ada')),
    )
  })
})

describe('[P3] from outside', () => {
  const acts = {
    rename: make.rename(ROOM, 'Mine', 'eve'),
    leave: make.leave(ROOM, 'eve'),
    send: make.send(ROOM, 'boo', 'eve'),
  }
  test.each(Object.entries(acts))('a public room says that one is no member: %s', (_name, act) => {
    expect(given(created(), joined('ada')).when(act)).toEqual(rejected('room.not_a_member'))
  })
  test.each(Object.entries({ ...acts, join: make.join(ROOM, 'eve') }))(
    'a private room answers exactly as one that does not exist: %s',
    (_name, act) => {
      const answer = given(created('private'), joined('ada')).when(act)
      expect(answer).toEqual(rejected('room.not_found'))
      expect(answer).toEqual(given().when(act))
    },
  )
})

describe('guests', () => {
  const guest = { guest: true }
  test('speak, come and go in the global room', () => {
    const global = given(created(), joined('gus'))
    expect(global.when(make.send(GLOBAL_ROOM, 'hi', 'gus', guest))).toEqual(accepted(sent('hi', 1)))
    expect(global.when(make.leave(GLOBAL_ROOM, 'gus', guest))).toEqual(accepted(left('gus')))
    expect(given(created()).when(make.join(GLOBAL_ROOM, 'gus', guest))).toEqual(accepted(joined('gus')))
  })
  test.each([
    make.send(ROOM, 'hi', 'gus', guest),
    make.join(ROOM, 'gus', guest),
    make.create('gus', guest),
    make.rename(GLOBAL_ROOM, 'Mine', 'gus', guest),
  ])('do nothing else', (act) => {
    expect(given(created(), joined('gus')).when(act)).toEqual(rejected('guest.not_allowed'))
  })
})

test('services are not people', () => {
  expect(given(created()).when(make.join(ROOM, 'system:chat'))).toEqual(rejected('command.invalid'))
})
