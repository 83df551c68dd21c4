import { type StreamEvent, verifyEvent } from '@klatsch/contracts'
import type { SealedEvent } from '../src/domain/events.ts'
import { project } from '../src/domain/projections.ts'
import { evolveRoom, noRoom } from '../src/domain/room.ts'

/** What is wrong with a stream's events, in words; empty when it is whole: seq contiguous, chain and ids right. */
export function faultsOf(events: readonly StreamEvent[]): string[] {
  const faults: string[] = []
  let chain = ''
  let time = ''
  for (const [index, event] of events.entries()) {
    const at = `${event.subject}@${event.seq}`
    if (event.seq !== index + 1) faults.push(`${at}: seq should be ${index + 1}`)
    if (event.prevchain !== chain) faults.push(`${at}: does not continue what is before it`)
    if (!verifyEvent(event)) faults.push(`${at}: hash or chain is wrong`)
    if (event.time < time) faults.push(`${at}: time goes backwards`)
    ;({ chain, time } = event)
  }
  if (new Set(events.map((event) => event.id)).size !== events.length) faults.push('an event is doubled')
  return faults
}

/** What the tables must hold, from the events alone. */
export function tablesOf(streams: ReadonlyMap<string, readonly SealedEvent[]>) {
  const all = [...streams.values()].flat()
  const { messages, members, userRooms, rooms } = project(all)
  return {
    messages: new Map(messages.map((row) => [`${row.room} ${row.seq}`, row])),
    members: new Map(
      members.flatMap(({ room, user, joinedSeq }) =>
        joinedSeq === undefined ? [] : [[`${room} ${user}`, joinedSeq] as const],
      ),
    ),
    userRooms: new Map(userRooms.map((row) => [`${row.user} ${row.room}`, row])),
    rooms: new Map(
      [...rooms].map((room) => {
        const state = (streams.get(room) ?? []).reduce(
          (known, { happened }) => evolveRoom(known, happened),
          noRoom,
        )
        if (state.kind === 'none') throw new Error(`${room} never began`)
        const { name, topic, visibility, members } = state
        return [room, { name, topic, visibility, memberCount: members.size }]
      }),
    ),
  }
}
