import type { ConnectionState, PendingCommand } from '@klatsch/client'
import {
  knownEvent,
  type PresenceData,
  type Room,
  roomSubject,
  type StreamEvent,
  streamId,
  streamKind,
  type User,
} from '@klatsch/contracts'

interface Base {
  readonly seq: number
  /** Milliseconds since the epoch, by the server's clock. */
  readonly at: number
}

/** What one event of a room is to a reader. */
export type Entry =
  | (Base & {
      readonly kind: 'message'
      readonly author: string
      readonly text: string
      readonly messageNo: number
    })
  | (Base & { readonly kind: 'joined' | 'left'; readonly user: string })
  | (Base & { readonly kind: 'named'; readonly by: string; readonly name: string; readonly first: boolean })

/** A message of one's own that is not in its room yet. */
export interface Sending {
  readonly id: string
  readonly room: string
  readonly text: string
  readonly at: number
  /** `waiting`: not on a socket. `sent`: on its way, or accepted and its event is not here yet. `failed`: refused. */
  readonly state: 'waiting' | 'sent' | 'failed'
  readonly reason?: string
}

/** One loaded piece of a room, from one seq to the newest, none missing. */
export interface Loaded {
  readonly from: number
  readonly entries: readonly Entry[]
}

export interface RoomState {
  readonly subject: string
  readonly name: string
  readonly topic: string
  readonly private: boolean
  readonly memberCount: number
  /** The seq from which one may read. */
  readonly first: number
  readonly head: number
  readonly lastMessageNo: number
  /** messageNo of the last message seen here. */
  readonly seen: number
  /** messageNo above which a line says that what follows is new. */
  readonly newAfter: number | undefined
  readonly loaded: Loaded | undefined
  /** Live entries of a room of which no page is loaded yet. */
  readonly early: readonly Entry[]
  readonly loading: boolean
  readonly failed: boolean
  /** User ids; undefined until asked for. */
  readonly members: ReadonlySet<string> | undefined
}

export interface State {
  readonly me: User
  readonly connection: ConnectionState
  readonly rooms: ReadonlyMap<string, RoomState>
  readonly people: ReadonlyMap<string, User>
  readonly here: ReadonlyMap<string, PresenceData>
  readonly typing: ReadonlyMap<string, readonly string[]>
  readonly online: ReadonlyMap<string, number>
  readonly sending: readonly Sending[]
  /** The room on the screen, with its end in view: what comes there is seen. */
  readonly looking: string | undefined
  /** Events whose hash and chain were checked, and those that did not fit. */
  readonly checked: number
  readonly diverged: number
}

export type Action =
  | { readonly type: 'connection'; readonly connection: ConnectionState }
  | { readonly type: 'rooms'; readonly rooms: readonly Room[] }
  | { readonly type: 'room-gone'; readonly subject: string }
  | { readonly type: 'event'; readonly event: StreamEvent }
  | { readonly type: 'loading'; readonly subject: string }
  | { readonly type: 'load-failed'; readonly subject: string }
  | {
      readonly type: 'page'
      readonly subject: string
      readonly from: number
      readonly events: readonly StreamEvent[]
      /** Where this room begins for this person, where the page has shown it. */
      readonly first: number
    }
  | { readonly type: 'reset'; readonly subject: string }
  | { readonly type: 'members'; readonly subject: string; readonly users: readonly User[] }
  | { readonly type: 'people'; readonly people: readonly User[] }
  | { readonly type: 'presence'; readonly user: string; readonly presence: PresenceData }
  | { readonly type: 'typing'; readonly room: string; readonly users: readonly string[] }
  | { readonly type: 'online'; readonly room: string; readonly count: number }
  | { readonly type: 'written'; readonly message: Sending }
  | { readonly type: 'outbox'; readonly outbox: readonly PendingCommand[] }
  | { readonly type: 'refused'; readonly id: string; readonly reason: string }
  | { readonly type: 'discard'; readonly id: string }
  | { readonly type: 'look'; readonly subject: string | undefined }
  | { readonly type: 'checked'; readonly checked: number; readonly diverged: number }

export const initialState = (me: User): State => ({
  me,
  connection: { kind: 'idle' },
  rooms: new Map(),
  people: new Map([[me.id, me]]),
  here: new Map(),
  typing: new Map(),
  online: new Map(),
  sending: [],
  looking: undefined,
  checked: 0,
  diverged: 0,
})

export const unreadOf = (room: RoomState): number => Math.max(0, room.lastMessageNo - room.seen)

/** Rooms by name; what is missing in the list is not one's own. */
export const roomList = (state: State): readonly RoomState[] =>
  [...state.rooms.values()].sort((a, b) => a.name.localeCompare(b.name) || (a.subject < b.subject ? -1 : 1))

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'connection':
      return { ...state, connection: action.connection }
    case 'rooms':
      return { ...state, rooms: action.rooms.reduce(takeRoom, state.rooms) }
    case 'room-gone': {
      const rooms = new Map(state.rooms)
      return rooms.delete(action.subject) ? { ...state, rooms } : state
    }
    case 'event':
      return takeEvent(state, action.event)
    case 'loading':
      return changeRoom(state, action.subject, () => ({ loading: true, failed: false }))
    case 'load-failed':
      return changeRoom(state, action.subject, () => ({ loading: false, failed: true }))
    case 'page':
      return changeRoom(state, action.subject, (room) => ({
        first: action.first,
        loading: false,
        failed: false,
        early: [],
        loaded: withPage(room, action.from, action.events.flatMap(entryOf)),
      }))
    case 'reset':
      return changeRoom(state, action.subject, () => ({ loaded: undefined, early: [], members: undefined }))
    case 'members':
      return changeRoom(withPeople(state, action.users), action.subject, () => ({
        members: new Set(action.users.map((user) => user.id)),
      }))
    case 'people':
      return withPeople(state, action.people)
    case 'presence':
      return { ...state, here: new Map(state.here).set(action.user, action.presence) }
    case 'typing':
      return { ...state, typing: new Map(state.typing).set(action.room, action.users) }
    case 'online':
      return { ...state, online: new Map(state.online).set(action.room, action.count) }
    case 'written':
      return { ...state, sending: [...state.sending, action.message] }
    case 'outbox': {
      const states = new Map(action.outbox.map(({ id, state }) => [id, state]))
      return changeSending(state, (message) => {
        const now = states.get(message.id)
        return now === undefined ? message : { ...message, state: now === 'sent' ? 'sent' : 'waiting' }
      })
    }
    case 'refused':
      return changeSending(state, (message) =>
        message.id === action.id ? { ...message, state: 'failed', reason: action.reason } : message,
      )
    case 'discard':
      return { ...state, sending: state.sending.filter(({ id }) => id !== action.id) }
    case 'look':
      return look(state, action.subject)
    case 'checked':
      return {
        ...state,
        checked: state.checked + action.checked,
        diverged: state.diverged + action.diverged,
      }
    default:
      return action satisfies never
  }
}

function withPeople(state: State, users: readonly User[]): State {
  const people = new Map(state.people)
  for (const user of users) people.set(user.id, user)
  return { ...state, people }
}

function changeRoom(state: State, subject: string, change: (room: RoomState) => Partial<RoomState>): State {
  const room = state.rooms.get(subject)
  return room ? { ...state, rooms: new Map(state.rooms).set(subject, { ...room, ...change(room) }) } : state
}

const changeSending = (state: State, change: (message: Sending) => Sending): State => ({
  ...state,
  sending: state.sending.map(change),
})

/** Takes what the server says of a room, unless the events already say something newer. */
function takeRoom(rooms: ReadonlyMap<string, RoomState>, room: Room): ReadonlyMap<string, RoomState> {
  const subject = roomSubject(room.id)
  const before = rooms.get(subject)
  const head = room.head ?? 0
  if (before && before.head > head) return rooms
  const lastMessageNo = room.lastMessageNo ?? before?.lastMessageNo ?? 0
  return new Map(rooms).set(subject, {
    first: 1,
    // A room first met here begins as read: its past is history, not news.
    seen: lastMessageNo,
    newAfter: undefined,
    loaded: undefined,
    early: [],
    loading: false,
    failed: false,
    members: undefined,
    ...before,
    subject,
    name: room.name,
    topic: room.topic,
    private: room.visibility === 'private',
    memberCount: room.memberCount,
    head,
    lastMessageNo,
  })
}

function takeEvent(state: State, event: StreamEvent): State {
  const { subject, seq } = event
  if (streamKind(subject) !== 'room') return state
  const own = streamId(event.actor) === state.me.id
  const settled = own ? state.sending.filter(({ id }) => id !== event.causationid) : state.sending
  const next = settled.length === state.sending.length ? state : { ...state, sending: settled }
  return changeRoom(next, subject, (room) => {
    const [entry] = entryOf(event)
    const more = entry ? [entry] : []
    const shown = room.loaded
      ? { loaded: { ...room.loaded, entries: merged(room.loaded.entries, more) } }
      : { early: merged(room.early, more) }
    return {
      ...shown,
      ...(seq > room.head ? { head: seq, ...fieldsAfter(room, event) } : {}),
      ...seenAfter(),
    }

    function seenAfter(): Partial<RoomState> {
      const known = knownEvent(event)
      if (known?.type !== 'chat.message.sent.v1') return {}
      // Who writes has read; and what appears before someone's eyes is seen.
      if (!own && state.looking !== subject) return {}
      return { seen: Math.max(room.seen, known.data.messageNo) }
    }
  })
}

function fieldsAfter(room: RoomState, event: StreamEvent): Partial<RoomState> {
  const known = knownEvent(event)
  switch (known?.type) {
    case 'chat.room.created.v1':
    case 'chat.room.renamed.v1':
      return {
        name: known.data.name,
        topic: known.data.topic,
        private: known.data.visibility === 'private',
      }
    case 'chat.member.joined.v1':
      return {
        memberCount: room.memberCount + 1,
        members: room.members && new Set([...room.members, known.data.user]),
      }
    case 'chat.member.left.v1':
      return {
        memberCount: room.memberCount - 1,
        members: room.members && new Set([...room.members].filter((id) => id !== known.data.user)),
      }
    case 'chat.message.sent.v1':
      return { lastMessageNo: known.data.messageNo }
    default:
      return {}
  }
}

function look(state: State, subject: string | undefined): State {
  const left = state.looking
  const next: State = { ...state, looking: subject }
  if (left === subject) return state
  // What was new when one left is not new any more.
  const cleared = left === undefined ? next : changeRoom(next, left, () => ({ newAfter: undefined }))
  if (subject === undefined) return cleared
  return changeRoom(cleared, subject, (room) => ({
    newAfter: unreadOf(room) > 0 ? room.seen : room.newAfter,
    seen: Math.max(room.seen, room.lastMessageNo),
  }))
}

/** Nothing for what a reader is not told of: erased, or of a type of a later version. */
function entryOf(event: StreamEvent): Entry[] {
  const base = { seq: event.seq, at: Date.parse(event.time) }
  const by = streamId(event.actor)
  const known = knownEvent(event)
  switch (known?.type) {
    case 'chat.message.sent.v1':
      return [
        { ...base, kind: 'message', author: by, text: known.data.text, messageNo: known.data.messageNo },
      ]
    case 'chat.member.joined.v1':
      return [{ ...base, kind: 'joined', user: known.data.user }]
    case 'chat.member.left.v1':
      return [{ ...base, kind: 'left', user: known.data.user }]
    case 'chat.room.created.v1':
      return [{ ...base, kind: 'named', by, name: known.data.name, first: true }]
    case 'chat.room.renamed.v1':
      return [{ ...base, kind: 'named', by, name: known.data.name, first: false }]
    default:
      return []
  }
}

function withPage(room: RoomState, from: number, entries: readonly Entry[]): Loaded {
  const had = room.loaded
  if (!had) return { from, entries: merged(merged([], entries), room.early) }
  return { from: Math.min(from, had.from), entries: merged(had.entries, entries) }
}

/** Both, by seq, each once. */
function merged(a: readonly Entry[], b: readonly Entry[]): readonly Entry[] {
  const last = a.at(-1)
  if (b.length === 1 && b[0] && (!last || b[0].seq > last.seq)) return [...a, b[0]]
  const all = new Map([...a, ...b].map((entry) => [entry.seq, entry]))
  return [...all.values()].sort((x, y) => x.seq - y.seq)
}
