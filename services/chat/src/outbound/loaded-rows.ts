import type { ErrorCode, Visibility } from '@klatsch/contracts'
import type { LoadedBatch } from '../domain/command-store.ts'
import type { StreamHead } from '../domain/events.ts'
import { type Outcome, outcomeKey } from '../domain/outcomes.ts'
import type { RoomState } from '../domain/room.ts'
import type { UserRoom, UserState } from '../domain/user-stream.ts'

export type Row = Record<string, unknown>

/** Rows as the domain knows them. */
export function loadedOf(rows: {
  readonly heads: Row[]
  readonly outcomes: Row[]
  readonly rooms: Row[]
  readonly members: Row[]
  readonly userRooms: Row[]
}): LoadedBatch {
  const { heads, outcomes, rooms, members, userRooms } = rows
  const byHead = new Map(heads.map((row) => [String(row.stream), headOf(row)]))
  const inRoom = Map.groupBy(members, (row) => String(row.room))
  const ofUser = Map.groupBy(userRooms, (row) => `user:${row.user_id}`)
  return {
    heads: byHead,
    outcomes: new Map(
      outcomes.map(outcomeOf).map((outcome) => [outcomeKey(outcome.actor, outcome.id), outcome]),
    ),
    rooms: new Map(
      rooms.map((row): [string, RoomState] => {
        const room = String(row.room)
        return [
          room,
          {
            kind: 'room',
            name: String(row.name),
            topic: String(row.topic),
            visibility: row.visibility as Visibility,
            memberCount: Number(row.member_count),
            members: new Set(inRoom.get(room)?.map((member) => String(member.user_id))),
            messageNo: byHead.get(room)?.messageNo ?? 0,
          },
        ]
      }),
    ),
    users: new Map(
      [...ofUser].map(([stream, rows]): [string, UserState] => [
        stream,
        {
          rooms: new Map(
            rows.map((row): [string, UserRoom] => [
              String(row.room),
              { seq: Number(row.seq), member: row.member === true },
            ]),
          ),
        },
      ]),
    ),
  }
}

const headOf = (row: Row): StreamHead => ({
  seq: Number(row.seq),
  chain: String(row.chain),
  time: Number(row.time),
  messageNo: Number(row.message_no),
  publishedSeq: Number(row.published_seq),
})

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export const outcomeOf = (row: Row): Outcome => ({
  actor: String(row.actor),
  id: String(row.id),
  hash: text(row.hash),
  subject: text(row.subject),
  state: row.state as Outcome['state'],
  seq: row.seq === null ? undefined : Number(row.seq),
  code: text(row.code) as ErrorCode | undefined,
  detail: text(row.detail),
})
