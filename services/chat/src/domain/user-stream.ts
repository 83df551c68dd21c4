import { type Command, streamId, uuidSchema } from '@klatsch/contracts'
import { accepted, type Decision, type NewEvent, rejected } from './decision.ts'

/** What a user's own stream says of a room, and since which seq of that room. */
export interface UserRoom {
  readonly seq: number
  readonly member: boolean
}
/** May hold only the rooms that the commands at hand are about. */
export interface UserState {
  readonly rooms: ReadonlyMap<string, UserRoom>
}

export const noUser: UserState = { rooms: new Map() }

export type UserCommand = Extract<Command, { type: `chat.membership.${string}` | 'chat.session.end.v1' }>

/**
 * Follow-ups may come twice, late, or in another order than they happened: what is older than what is known
 * changes nothing, so a late join cannot bring back a room that was left after it.
 */
export function decideUser(state: UserState, command: UserCommand): Decision {
  if (!command.actor.startsWith('system:')) {
    return rejected('command.unknown', `no command is called ${command.type}`)
  }
  if (!uuidSchema.safeParse(streamId(command.subject)).success) {
    return rejected('command.invalid', 'subject: not the stream of a user')
  }
  if (command.type === 'chat.session.end.v1') {
    return accepted({ type: 'chat.session.ended.v1', data: command.data })
  }
  const known = state.rooms.get(command.data.room)
  if (known && known.seq >= command.data.seq) return accepted()
  switch (command.type) {
    case 'chat.membership.add.v1':
      return accepted({ type: 'chat.membership.added.v1', data: command.data })
    case 'chat.membership.remove.v1':
      return accepted({ type: 'chat.membership.removed.v1', data: command.data })
    default:
      return command satisfies never
  }
}

/** Events of other kinds of streams leave a user as they are. */
export function evolveUser(state: UserState, event: NewEvent): UserState {
  switch (event.type) {
    case 'chat.membership.added.v1':
    case 'chat.membership.removed.v1': {
      const member = event.type === 'chat.membership.added.v1'
      return { rooms: new Map(state.rooms).set(event.data.room, { seq: event.data.seq, member }) }
    }
    case 'chat.room.created.v1':
    case 'chat.room.renamed.v1':
    case 'chat.member.joined.v1':
    case 'chat.member.left.v1':
    case 'chat.message.sent.v1':
    case 'chat.session.ended.v1':
      return state
    default:
      return event satisfies never
  }
}
