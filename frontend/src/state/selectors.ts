import type { RoomState } from './room.ts'
import { type State, unreadOf } from './state.ts'

let last: { rooms: State['rooms']; list: readonly RoomState[] } | undefined

/** The rooms this person is in, the one where something happened last first. */
export function myRooms(state: State): readonly RoomState[] {
  if (last?.rooms === state.rooms) return last.list
  const list = Object.values(state.rooms)
    .filter((room) => room.member)
    .sort((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0) || a.name.localeCompare(b.name))
  // The same rooms in the same order are the same list.
  const same = last?.list.length === list.length && list.every((room, index) => room === last?.list[index])
  last = { rooms: state.rooms, list: same && last ? last.list : list }
  return last.list
}

export const totalUnread = (state: State): number =>
  myRooms(state).reduce((sum, room) => sum + unreadOf(state, room), 0)

/** The messageNo above which a line says that what follows is new. */
export function newAfter(state: State, subject: string): number | undefined {
  const room = state.rooms[subject]
  if (!room) return undefined
  if (state.watching !== subject && unreadOf(state, room) > 0 && state.divider[subject] === undefined)
    return state.seen[subject]
  return state.divider[subject]
}

/** Messages that wait for the connection, in all rooms. */
export const waitingCount = (state: State): number =>
  state.sending.filter((message) => message.state === 'waiting' || message.state === 'sent').length
