import type pg from 'pg'
import type { SealedEvent } from '../src/domain/events.ts'
import type { Outcome } from '../src/domain/outcomes.ts'
import { eventOfRow } from '../src/outbound/stored-event.ts'
import type { StoreTables } from './store-contract.ts'

/** All that Postgres holds, as the contract suite compares it. */
export async function postgresTables(pool: pg.Pool): Promise<StoreTables> {
  const rows = async (sql: string) => (await pool.query(sql)).rows
  const events = new Map<string, SealedEvent[]>()
  for (const row of await rows('SELECT * FROM stream_events ORDER BY stream, seq')) {
    const event = eventOfRow(row.bytes)
    // The columns beside the bytes say the same.
    const { stream, id, type, actor, chain } = row
    const time = row.time.toISOString()
    if (
      JSON.stringify({ ...event, stream, seq: Number(row.seq), id, type, actor, time, chain }) !==
      JSON.stringify(event)
    ) {
      throw new Error(`${stream}@${row.seq}: columns and bytes differ`)
    }
    events.set(stream, [...(events.get(stream) ?? []), event])
  }
  const map = async <V>(sql: string, of: (row: Record<string, unknown>) => [string, V]) =>
    new Map((await rows(sql)).map(of))
  return {
    events,
    heads: await map('SELECT * FROM streams', (r) => [
      String(r.stream),
      { seq: Number(r.seq), publishedSeq: Number(r.published_seq) },
    ]),
    outcomes: await map('SELECT * FROM command_outcomes', (r) => [
      `${r.actor} ${r.id}`,
      { state: r.state as Outcome['state'], ...(r.seq === null ? {} : { seq: Number(r.seq) }) },
    ]),
    rooms: await map('SELECT * FROM rooms', (r) => [
      String(r.room),
      { name: r.name, topic: r.topic, visibility: r.visibility, memberCount: Number(r.member_count) },
    ]),
    members: await map('SELECT * FROM room_members', (r) => [`${r.room} ${r.user_id}`, Number(r.joined_seq)]),
    userRooms: await map('SELECT * FROM user_rooms', (r) => [
      `${r.user_id} ${r.room}`,
      { user: r.user_id, room: r.room, seq: Number(r.seq), member: r.member },
    ]),
    messages: await map('SELECT * FROM messages', (r) => [
      `${r.room} ${r.seq}`,
      {
        room: r.room,
        seq: Number(r.seq),
        messageNo: Number(r.message_no),
        id: r.id,
        author: r.author,
        text: r.text,
        time: (r.time as Date).toISOString(),
      },
    ]),
  }
}
