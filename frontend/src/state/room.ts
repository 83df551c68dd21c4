import {
  type Digest,
  knownEvent,
  type Room,
  roomSubject,
  type StreamEvent,
  type Visibility,
} from '@klatsch/contracts'
import { entryOf } from './entry.ts'
import { appendEntry, type Timeline } from './timeline.ts'

export interface Members {
  /** User id → seq of the join. */
  readonly joined: Readonly<Record<string, number>>
  /** User id → seq of the leave, since the list was asked for: an answer may not know of it yet. */
  readonly left: Readonly<Record<string, number>>
  /** `partial`: there are more than one wants to load. */
  readonly status: 'loading' | 'complete' | 'partial' | 'failed'
}

/** A room as this person sees it: a projection of its stream, from a snapshot or from the beginning. */
export interface RoomState {
  readonly subject: string
  readonly name: string
  readonly topic: string
  readonly visibility: Visibility
  readonly memberCount: number
  readonly member: boolean
  /** The seq up to which the fields above are current. */
  readonly head: number
  /** Seq of the last event that there is, as far as one was told. */
  readonly tail: number
  /** Events up to `head` that are no messages: more of them, and the fields above are not current any more. */
  readonly others: number
  readonly lastMessageNo: number
  /** Time of the last event known, milliseconds since the epoch. */
  readonly lastAt: number | undefined
  /** The seq from which this person may read. */
  readonly first: number
  readonly timeline: Timeline | undefined
  readonly members: Members | undefined
}

export const emptyRoom = (subject: string): RoomState => ({
  subject,
  name: '',
  topic: '',
  visibility: 'public',
  memberCount: 0,
  member: false,
  head: 0,
  tail: 0,
  others: 0,
  lastMessageNo: 0,
  lastAt: undefined,
  first: 1,
  timeline: undefined,
  members: undefined,
})

/** Takes what the server says of the room, unless the events already say something newer. */
export function withSnapshot(state: RoomState | undefined, room: Room): RoomState {
  const before = state ?? emptyRoom(roomSubject(room.id))
  const head = room.head ?? 0
  if (state?.member && room.member && head < before.head) return before
  const left = !room.member
  return {
    ...before,
    name: room.name,
    topic: room.topic,
    visibility: room.visibility,
    memberCount: room.memberCount,
    member: room.member,
    head,
    tail: Math.max(head, before.tail),
    others: head - (room.lastMessageNo ?? head),
    lastMessageNo: Math.max(room.lastMessageNo ?? 0, before.lastMessageNo),
    timeline: left ? undefined : before.timeline,
    members: left ? undefined : before.members,
  }
}

/** How far a room is that is followed by digests. */
export type Tail = Digest['data']

/** Takes how far the room is, without what happened there. */
export const withTail = (state: RoomState, tail: Tail): RoomState => ({
  ...state,
  tail: Math.max(state.tail, tail.head),
  lastMessageNo: Math.max(state.lastMessageNo, tail.messageNo),
  lastAt: Math.max(state.lastAt ?? 0, Date.parse(tail.lastActivity)),
})

/** The room after an event. An event that was taken before changes nothing. `me`: the reader's user id. */
export function evolveRoom(state: RoomState, event: StreamEvent, me: string): RoomState {
  const timeline = state.timeline && appendEntry(state.timeline, entryOf(event))
  const members = state.members && evolveMembers(state.members, event)
  const fields = event.seq > state.head ? evolveFields(state, event, me) : undefined
  if (!fields && timeline === state.timeline && members === state.members) return state
  return { ...state, ...fields, timeline, members }
}

function evolveFields(state: RoomState, event: StreamEvent, me: string): Partial<RoomState> {
  const known = knownEvent(event)
  const other = known?.type === 'chat.message.sent.v1' ? 0 : 1
  const base = {
    head: event.seq,
    tail: Math.max(state.tail, event.seq),
    others: state.others + other,
    lastAt: Date.parse(event.time),
  }
  switch (known?.type) {
    case 'chat.room.created.v1':
    case 'chat.room.renamed.v1':
      return { ...base, name: known.data.name, topic: known.data.topic, visibility: known.data.visibility }
    case 'chat.member.joined.v1':
      return { ...base, memberCount: state.memberCount + 1, member: state.member || known.data.user === me }
    case 'chat.member.left.v1':
      return { ...base, memberCount: state.memberCount - 1, member: state.member && known.data.user !== me }
    case 'chat.message.sent.v1':
      return { ...base, lastMessageNo: Math.max(known.data.messageNo, state.lastMessageNo) }
    case 'chat.membership.added.v1':
    case 'chat.membership.removed.v1':
    case 'chat.session.ended.v1':
    case undefined:
      return base
  }
}

/** Joins and leaves by seq, so that an event older than the list cannot undo what the list knows. */
function evolveMembers(members: Members, event: StreamEvent): Members {
  const known = knownEvent(event)
  if (known?.type === 'chat.member.joined.v1') {
    if ((members.joined[known.data.user] ?? 0) >= event.seq) return members
    return { ...members, joined: { ...members.joined, [known.data.user]: event.seq } }
  }
  if (known?.type === 'chat.member.left.v1') {
    const { user } = known.data
    const left = members.status === 'complete' ? members.left : { ...members.left, [user]: event.seq }
    if ((members.joined[user] ?? event.seq) >= event.seq) return { ...members, left }
    const { [user]: _gone, ...joined } = members.joined
    return { ...members, joined, left }
  }
  return members
}

export const blankMembers: Members = { joined: {}, left: {}, status: 'loading' }

/** Takes a part of the list, unless the events already say something newer of someone in it. */
export function withMembers(
  members: Members,
  answer: Readonly<Record<string, number>>,
  status: Members['status'],
): Members {
  const joined: Record<string, number> = { ...members.joined }
  for (const [user, seq] of Object.entries(answer)) {
    if ((members.left[user] ?? 0) < seq) joined[user] = Math.max(seq, joined[user] ?? 0)
  }
  return { joined, left: status === 'loading' ? members.left : {}, status }
}
