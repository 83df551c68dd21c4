import type { ConnectionState, PendingCommand } from '@klatsch/client'
import {
  type ErrorCode,
  knownEvent,
  type Room,
  roomSubject,
  type StreamEvent,
  streamId,
  streamKind,
  type User,
} from '@klatsch/contracts'
import { entryKey } from './entry.ts'
import { evolveHere, type Here, type HereAction, nobodyHere } from './here.ts'
import {
  blankMembers,
  evolveRoom,
  type Members,
  type RoomState,
  type Tail,
  withMembers,
  withSnapshot,
  withTail,
} from './room.ts'
import { type Sending, withArrival, withOutbox, withRejected } from './sending.ts'
import { blankTimeline, mergePage, type Page, trimTimeline } from './timeline.ts'

/** `unknown`: the server does not know this id (any more). */
export type Person = User | 'unknown'

export interface State {
  readonly me: User
  readonly connection: ConnectionState
  readonly rooms: Readonly<Record<string, RoomState>>
  /** `loading` until the first list came. */
  readonly roomList: 'loading' | 'ready' | 'failed'
  /** The last digest of each room that is or was followed by digests: it may come before the room's snapshot. */
  readonly tails: Readonly<Record<string, Tail>>
  /** Live events of rooms whose snapshot is not here yet. */
  readonly early: Readonly<Record<string, readonly StreamEvent[]>>
  readonly people: Readonly<Record<string, Person>>
  readonly here: Here
  readonly sending: readonly Sending[]
  /** Room → messageNo of the last message this person has seen on this device. */
  readonly seen: Readonly<Record<string, number>>
  /** Room → messageNo after which a line says that what follows is new. */
  readonly divider: Readonly<Record<string, number>>
  /** The room whose end is on the screen of someone who is looking. */
  readonly watching: string | undefined
  /** This browser does not let the page keep what waits: it is gone when the page is. */
  readonly forgetful: boolean
}

export type Action =
  | { readonly type: 'connection'; readonly connection: ConnectionState }
  | { readonly type: 'rooms'; readonly rooms: readonly Room[] }
  | { readonly type: 'rooms-failed' }
  | { readonly type: 'room'; readonly room: Room }
  | { readonly type: 'room-gone'; readonly subject: string }
  | { readonly type: 'digest'; readonly subject: string; readonly tail: Tail }
  | { readonly type: 'event'; readonly event: StreamEvent }
  | { readonly type: 'load'; readonly subject: string; readonly what: 'latest' | 'older' }
  | { readonly type: 'page'; readonly subject: string; readonly page: Page; readonly first?: number }
  | { readonly type: 'load-failed'; readonly subject: string }
  | { readonly type: 'reset'; readonly subject: string }
  | { readonly type: 'trim'; readonly subject: string; readonly keep: number }
  | { readonly type: 'unfollowed'; readonly subject: string }
  | {
      readonly type: 'members'
      readonly subject: string
      readonly joined: Readonly<Record<string, number>>
      readonly status: Members['status']
    }
  | { readonly type: 'members-load'; readonly subject: string }
  | { readonly type: 'members-failed'; readonly subject: string }
  | { readonly type: 'people'; readonly people: readonly User[]; readonly unknown?: readonly string[] }
  | { readonly type: 'outbox'; readonly outbox: readonly PendingCommand[] }
  | {
      readonly type: 'rejected'
      readonly command: PendingCommand
      readonly code: ErrorCode
      readonly detail: string
    }
  | { readonly type: 'failed-before'; readonly failed: readonly Sending[] }
  | { readonly type: 'discard'; readonly id: string }
  | { readonly type: 'caught-up'; readonly subject: string }
  | { readonly type: 'watch'; readonly subject: string | undefined }
  | { readonly type: 'seen'; readonly seen: Readonly<Record<string, number>> }
  | HereAction
  | { readonly type: 'storage-failed' }

const MAX_EARLY = 500

export const initialState = (me: User, seen: Readonly<Record<string, number>>): State => ({
  me,
  connection: { kind: 'idle' },
  rooms: {},
  roomList: 'loading',
  tails: {},
  early: {},
  people: { [me.id]: me },
  here: nobodyHere,
  sending: [],
  seen,
  divider: {},
  watching: undefined,
  forgetful: false,
})

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'connection':
      return { ...state, connection: action.connection }
    case 'present':
    case 'typing':
    case 'online':
      return { ...state, here: evolveHere(state.here, action) }
    case 'rooms':
      return action.rooms.reduce(takeSnapshot, { ...state, roomList: 'ready' })
    case 'rooms-failed':
      return state.roomList === 'ready' ? state : { ...state, roomList: 'failed' }
    case 'room':
      return takeSnapshot(state, action.room)
    case 'room-gone':
    case 'unfollowed':
      return withRoom(state, action.subject, (room) => ({
        ...room,
        member: false,
        timeline: undefined,
        members: undefined,
      }))
    case 'digest':
      return withRoom(
        { ...state, tails: { ...state.tails, [action.subject]: action.tail } },
        action.subject,
        (room) => withTail(room, action.tail),
      )
    case 'event':
      return takeEvent(state, action.event)
    case 'load':
      return withTimeline(state, action.subject, (timeline) =>
        timeline ? { ...timeline, loading: action.what, failed: false } : blankTimeline,
      )
    case 'page':
      return settle(
        withRoom(state, action.subject, (room) => ({
          ...room,
          first: action.first ?? room.first,
          lastAt: lastAtWith(room, action.page),
          timeline: mergePage(room.timeline ?? blankTimeline, action.page),
        })),
      )
    case 'load-failed':
      return withTimeline(state, action.subject, (timeline) => timeline && { ...timeline, failed: true })
    case 'reset':
      return takeReset(state, action.subject)
    case 'trim':
      return withTimeline(
        state,
        action.subject,
        (timeline) => timeline && trimTimeline(timeline, action.keep),
      )
    case 'members-load':
      return withRoom(state, action.subject, (room) => ({
        ...room,
        members: { ...(room.members ?? blankMembers), status: 'loading' },
      }))
    case 'members':
      return withRoom(state, action.subject, (room) => ({
        ...room,
        members: withMembers(room.members ?? blankMembers, action.joined, action.status),
      }))
    case 'members-failed':
      return withRoom(state, action.subject, (room) => ({
        ...room,
        members: { ...(room.members ?? blankMembers), status: 'failed' },
      }))
    case 'people': {
      const people: Record<string, Person> = { ...state.people }
      for (const user of action.people) people[user.id] = user
      for (const id of action.unknown ?? []) people[id] ??= 'unknown'
      return { ...state, people, me: action.people.find((user) => user.id === state.me.id) ?? state.me }
    }
    case 'outbox':
      return {
        ...state,
        sending: withOutbox(state.sending, action.outbox, (message) => arrived(state, message)),
      }
    case 'rejected':
      return { ...state, sending: withRejected(state.sending, action.command, action.code, action.detail) }
    case 'failed-before': {
      const had = new Set(state.sending.map((message) => message.id))
      return {
        ...state,
        sending: [...action.failed.filter((message) => !had.has(message.id)), ...state.sending],
      }
    }
    case 'discard':
      return { ...state, sending: state.sending.filter((message) => message.id !== action.id) }
    case 'caught-up': {
      const { [action.subject]: _old, ...divider } = state.divider
      return { ...state, divider }
    }
    case 'watch':
      return watch(state, action.subject)
    case 'seen':
      return Object.entries(action.seen).reduce((next, [subject, no]) => markSeen(next, subject, no), state)
    case 'storage-failed':
      return state.forgetful ? state : { ...state, forgetful: true }
  }
}

export const unreadOf = (state: Pick<State, 'seen'>, room: RoomState): number =>
  Math.max(0, room.lastMessageNo - (state.seen[room.subject] ?? room.lastMessageNo))

function withRoom(state: State, subject: string, change: (room: RoomState) => RoomState): State {
  const room = state.rooms[subject]
  if (!room) return state
  const next = change(room)
  return next === room ? state : { ...state, rooms: { ...state.rooms, [subject]: next } }
}

function withTimeline(
  state: State,
  subject: string,
  change: (timeline: RoomState['timeline']) => RoomState['timeline'],
): State {
  return withRoom(state, subject, (room) => {
    const timeline = change(room.timeline)
    return timeline === room.timeline ? room : { ...room, timeline }
  })
}

function lastAtWith(room: RoomState, page: Page): number | undefined {
  const last = page.entries.at(-1)
  return last ? Math.max(room.lastAt ?? 0, last.at) : room.lastAt
}

function takeSnapshot(state: State, room: Room): State {
  const subject = roomSubject(room.id)
  const early = state.early[subject] ?? []
  const { [subject]: _taken, ...rest } = state.early
  const tail = state.tails[subject]
  const snapshot = withSnapshot(state.rooms[subject], room)
  const taken = tail ? withTail(snapshot, tail) : snapshot
  const next: State = {
    ...state,
    rooms: { ...state.rooms, [subject]: taken },
    early: early.length > 0 ? rest : state.early,
    // A room first met on this device begins as read: its past is history, not news.
    seen: state.seen[subject] === undefined ? { ...state.seen, [subject]: taken.lastMessageNo } : state.seen,
  }
  return early.reduce(takeEvent, next)
}

function takeReset(state: State, subject: string): State {
  const { [subject]: _old, ...tails } = state.tails
  // Who came and went meanwhile is not known either.
  return withRoom({ ...state, tails }, subject, (room) => ({
    ...room,
    timeline: room.timeline && blankTimeline,
    members: undefined,
    tail: 0,
  }))
}

function takeEvent(state: State, event: StreamEvent): State {
  if (streamKind(event.subject) !== 'room') return state
  const { subject } = event
  const room = state.rooms[subject]
  if (!room) {
    const early = [...(state.early[subject] ?? []), event].slice(-MAX_EARLY)
    return { ...state, early: { ...state.early, [subject]: early } }
  }
  const next: State = {
    ...state,
    rooms: { ...state.rooms, [subject]: evolveRoom(room, event, state.me.id) },
    sending: withArrival(state.sending, event, state.me.id),
  }
  const known = knownEvent(event)
  if (known?.type !== 'chat.message.sent.v1') return next
  // Who writes has read; and what appears before someone's eyes is seen.
  const seen = streamId(event.actor) === state.me.id || state.watching === subject
  return seen ? markSeen(next, subject, known.data.messageNo) : next
}

function markSeen(state: State, subject: string, messageNo: number): State {
  return (state.seen[subject] ?? -1) >= messageNo
    ? state
    : { ...state, seen: { ...state.seen, [subject]: messageNo } }
}

function watch(state: State, subject: string | undefined): State {
  const room = subject === undefined ? undefined : state.rooms[subject]
  if (!room?.member) return state.watching === undefined ? state : { ...state, watching: undefined }
  const next: State = { ...state, watching: room.subject }
  if (unreadOf(state, room) === 0) return state.watching === subject ? state : next
  const divider = { ...state.divider, [room.subject]: state.seen[room.subject] ?? 0 }
  return markSeen({ ...next, divider }, room.subject, room.lastMessageNo)
}

/** Whether the event of a message has been seen in the loaded part of its room. */
function arrived(state: State, message: Sending): boolean {
  const key = entryKey(`user:${state.me.id}`, message.id)
  return state.rooms[message.room]?.timeline?.entries.some((entry) => entry.key === key) ?? false
}

/** Lets go of accepted messages whose events came with a page instead of live. */
function settle(state: State): State {
  const sending = state.sending.filter((message) => message.state === 'failed' || !arrived(state, message))
  return sending.length === state.sending.length ? state : { ...state, sending }
}
