import {
  type Command,
  createdRoomSubject,
  GLOBAL_ROOM,
  guestMay,
  streamId,
  type Visibility,
} from '@klatsch/contracts'
import { accepted, type Decision, type NewEvent, rejected } from './decision.ts'

/**
 * A room as its events made it. `members` may hold only those members that the commands at hand are about:
 * a decision asks for its own actor alone, and `memberCount` counts all of them.
 */
export type RoomState =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'room'
      readonly name: string
      readonly topic: string
      readonly visibility: Visibility
      readonly members: ReadonlySet<string>
      readonly memberCount: number
      readonly messageNo: number
    }
type Room = Extract<RoomState, { kind: 'room' }>

export const noRoom: RoomState = { kind: 'none' }

export type RoomCommand = Extract<Command, { type: `chat.room.${string}` | `chat.message.${string}` }>

export function decideRoom(state: RoomState, command: RoomCommand): Decision {
  if (!command.actor.startsWith('user:'))
    return rejected('command.invalid', 'actor: only people are in rooms')
  if (command.guest && !guestMay(command.type, command.subject)) return rejected('guest.not_allowed')
  const user = streamId(command.actor)
  if (command.type === 'chat.room.create.v1') {
    if (command.subject !== createdRoomSubject(command.actor, command.id)) {
      return rejected('command.invalid', 'subject: does not follow from the actor and the id')
    }
    if (state.kind === 'room') return rejected('command.id_reused', 'the room exists')
    return accepted(
      { type: 'chat.room.created.v1', data: command.data },
      { type: 'chat.member.joined.v1', data: { user } },
    )
  }
  if (state.kind === 'none') return rejected('room.not_found')
  return decideInRoom(state, command, user)
}

/** An outsider learns of a private room no more than of one that does not exist. */
const outside = (room: Room): Decision =>
  rejected(room.visibility === 'private' ? 'room.not_found' : 'room.not_a_member')

function decideInRoom(
  room: Room,
  command: Exclude<RoomCommand, { type: 'chat.room.create.v1' }>,
  user: string,
): Decision {
  const member = room.members.has(user)
  switch (command.type) {
    case 'chat.room.rename.v1': {
      if (!member) return outside(room)
      if (command.subject === GLOBAL_ROOM) return rejected('room.not_allowed')
      const { name = room.name, topic = room.topic } = command.data
      return accepted({ type: 'chat.room.renamed.v1', data: { name, topic, visibility: room.visibility } })
    }
    case 'chat.room.join.v1':
      if (member) return accepted()
      if (room.visibility === 'private') return rejected('room.not_found')
      return accepted({ type: 'chat.member.joined.v1', data: { user } })
    case 'chat.room.leave.v1':
      if (!member) return outside(room)
      return accepted({ type: 'chat.member.left.v1', data: { user } })
    case 'chat.message.send.v1':
      if (!member) return outside(room)
      return accepted({
        type: 'chat.message.sent.v1',
        data: { text: command.data.text, messageNo: room.messageNo + 1 },
      })
    default:
      return command satisfies never
  }
}

/** Events of other kinds of streams leave a room as it is. */
export function evolveRoom(state: RoomState, event: NewEvent): RoomState {
  if (event.type === 'chat.room.created.v1') {
    return { kind: 'room', ...event.data, members: new Set(), memberCount: 0, messageNo: 0 }
  }
  if (state.kind === 'none') return state
  switch (event.type) {
    case 'chat.room.renamed.v1':
      return { ...state, ...event.data }
    case 'chat.member.joined.v1':
      return {
        ...state,
        members: new Set(state.members).add(event.data.user),
        memberCount: state.memberCount + 1,
      }
    case 'chat.member.left.v1': {
      const members = new Set(state.members)
      members.delete(event.data.user)
      return { ...state, members, memberCount: state.memberCount - 1 }
    }
    case 'chat.message.sent.v1':
      return { ...state, messageNo: event.data.messageNo }
    case 'chat.membership.added.v1':
    case 'chat.membership.removed.v1':
    case 'chat.session.ended.v1':
      return state
    default:
      return event satisfies never
  }
}
