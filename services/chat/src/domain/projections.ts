import { streamId } from '@klatsch/contracts'
import type { SealedEvent } from './events.ts'

export interface MessageRow {
  readonly room: string
  readonly seq: number
  readonly messageNo: number
  readonly id: string
  readonly author: string
  readonly text: string
  readonly time: string
}
/** `joinedSeq` absent: no longer a member. */
export interface MemberRow {
  readonly room: string
  readonly user: string
  readonly joinedSeq: number | undefined
}
export interface UserRoomRow {
  readonly user: string
  readonly room: string
  readonly seq: number
  readonly member: boolean
}

/** What events change in the tables people read, each row once, as it is after the last of them. */
export interface Projections {
  readonly messages: readonly MessageRow[]
  readonly members: readonly MemberRow[]
  readonly userRooms: readonly UserRoomRow[]
  /** Rooms whose name, topic, visibility or size changed. */
  readonly rooms: ReadonlySet<string>
}

export function project(events: readonly SealedEvent[]): Projections {
  const messages: MessageRow[] = []
  const members = new Map<string, MemberRow>()
  const userRooms = new Map<string, UserRoomRow>()
  const rooms = new Set<string>()
  for (const { stream, seq, id, actor, time, happened } of events) {
    switch (happened.type) {
      case 'chat.message.sent.v1': {
        const { text, messageNo } = happened.data
        messages.push({ room: stream, seq, messageNo, id, author: streamId(actor), text, time })
        break
      }
      case 'chat.member.joined.v1':
      case 'chat.member.left.v1': {
        const { user } = happened.data
        const joinedSeq = happened.type === 'chat.member.joined.v1' ? seq : undefined
        members.set(`${stream} ${user}`, { room: stream, user, joinedSeq })
        rooms.add(stream)
        break
      }
      case 'chat.room.created.v1':
      case 'chat.room.renamed.v1':
        rooms.add(stream)
        break
      case 'chat.membership.added.v1':
      case 'chat.membership.removed.v1': {
        const row = { ...happened.data, member: happened.type === 'chat.membership.added.v1' }
        userRooms.set(`${stream} ${row.room}`, { user: streamId(stream), ...row })
        break
      }
      case 'chat.session.ended.v1':
        break
      default:
        happened satisfies never
    }
  }
  return { messages, members: [...members.values()], userRooms: [...userRooms.values()], rooms }
}
