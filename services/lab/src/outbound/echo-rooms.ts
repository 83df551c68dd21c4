import { asking } from '@klatsch/event-bus'
import type pg from 'pg'
import { type EchoRoom, emptyRoom, type Seqs } from '../domain/echo.ts'
import type { Tx } from './transactions.ts'

interface Row {
  readonly room: string
  readonly messages: string
  readonly last_text: string | null
  readonly seen: string
  readonly late: string
}

const COLUMNS = 'room, messages, last_text, seen::text, late'

/** The rooms as they are, locked; those that are not there yet are empty. */
export async function loadRooms(tx: Tx, names: readonly string[]): Promise<Map<string, EchoRoom>> {
  const rows = await tx.query<Row & pg.QueryResultRow>(
    `SELECT ${COLUMNS} FROM lab.echo_rooms WHERE room = ANY ($1) ORDER BY room FOR UPDATE`,
    [names],
  )
  const rooms = new Map(names.map((name) => [name, emptyRoom(name)]))
  for (const row of rows) rooms.set(row.room, roomOf(row))
  return rooms
}

export async function saveRooms(tx: Tx, rooms: readonly EchoRoom[]): Promise<void> {
  const inOrder = rooms.toSorted((a, b) => (a.room < b.room ? -1 : 1))
  await tx.query(
    `INSERT INTO lab.echo_rooms (room, messages, last_text, seen, late)
     SELECT r.room, r.messages, r.last_text, r.seen::int8multirange, r.late
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
       AS r (room, messages, last_text, seen, late)
     ON CONFLICT (room) DO UPDATE SET messages = excluded.messages, last_text = excluded.last_text,
       seen = excluded.seen, late = excluded.late`,
    [
      inOrder.map(({ room }) => room),
      inOrder.map(({ messages }) => messages),
      inOrder.map(({ lastText }) => lastText ?? null),
      inOrder.map(({ seen }) => `{${seen.map(([from, to]) => `[${from},${to})`).join()}}`),
      inOrder.map(({ late }) => late),
    ],
  )
}

/** Those with the most messages, or the one that is named. */
export async function listRooms(pool: pg.Pool, limit: number, name?: string): Promise<EchoRoom[]> {
  const { rows } = await asking(
    pool.query<Row>(
      `SELECT ${COLUMNS} FROM lab.echo_rooms WHERE $2::text IS NULL OR room = $2
       ORDER BY messages DESC, room LIMIT $1`,
      [limit, name],
    ),
  )
  return rows.map(roomOf)
}

const roomOf = (row: Row): EchoRoom => ({
  room: row.room,
  messages: Number(row.messages),
  lastText: row.last_text ?? undefined,
  seen: [...row.seen.matchAll(/\[(\d+),(\d+)\)/g)].map(([, from, to]): Seqs[number] => [
    Number(from),
    Number(to),
  ]),
  late: Number(row.late),
})
