// What the hot path asks Postgres: many rows a statement, an array a column. No rows, no statement.
import { partitionOf, topics } from '@klatsch/contracts'
import type { BatchRequest, PublishedRange } from '../domain/command-store.ts'
import type { SealedEvent, StreamHead } from '../domain/events.ts'
import type { Outcome, OutcomeKey } from '../domain/outcomes.ts'
import type { MemberRow, MessageRow, UserRoomRow } from '../domain/projections.ts'
import type { RoomState } from '../domain/room.ts'
import { plainArray, textArray } from './pg-arrays.ts'

/** Prepared once a connection, by its name. */
export interface Query {
  readonly name: string
  readonly text: string
  readonly values: unknown[]
}

type Column<R> = (rows: readonly R[]) => Buffer | string

/** A column of texts, or of anything else: numbers, UUIDs, times, booleans. */
const texts =
  <R>(of: (row: R) => string | undefined): Column<R> =>
  (rows) =>
    textArray(rows.map(of))
const plain =
  <R>(of: (row: R) => string | number | boolean | undefined): Column<R> =>
  (rows) =>
    plainArray(rows.map(of))

function rowsStatement<R>(name: string, text: string, columns: readonly Column<R>[]) {
  return (rows: readonly R[]): Query | undefined =>
    rows.length === 0 ? undefined : { name, text, values: columns.map((column) => column(rows)) }
}

/** Streams of this partition of `chat.commands` are decided by one consumer. */
const partitionOfStream = (stream: string): number => partitionOf(stream, topics.commands.partitions)

export const beginStreams = rowsStatement<string>(
  'begin-streams',
  `INSERT INTO streams (stream, partition)
   SELECT * FROM unnest($1::text[], $2::smallint[]) ON CONFLICT DO NOTHING`,
  [texts((stream) => stream), plain(partitionOfStream)],
)
export const lockStreams = rowsStatement<string>(
  'lock-streams',
  `SELECT stream, seq, chain, (extract(epoch FROM time) * 1000)::bigint AS time, message_no, published_seq
   FROM streams WHERE stream = ANY($1::text[]) ORDER BY stream FOR UPDATE`,
  [texts((stream) => stream)],
)
export const dropEmptyStreams = rowsStatement<string>(
  'drop-empty-streams',
  'DELETE FROM streams WHERE stream = ANY($1::text[]) AND seq = 0',
  [texts((stream) => stream)],
)
export const readOutcomes = rowsStatement<OutcomeKey>(
  'read-outcomes',
  `SELECT o.actor, o.id, o.hash, o.subject, o.state, o.seq, o.code, o.detail
   FROM unnest($1::text[], $2::uuid[]) AS k (actor, id) JOIN command_outcomes o USING (actor, id)`,
  [texts((o) => o.actor), plain((o) => o.id)],
)
export const readRooms = rowsStatement<string>(
  'read-rooms',
  'SELECT room, name, topic, visibility, member_count FROM rooms WHERE room = ANY($1::text[])',
  [texts((room) => room)],
)
export const readMembers = rowsStatement<BatchRequest['members'][number]>(
  'read-members',
  `SELECT m.room, m.user_id FROM unnest($1::text[], $2::uuid[]) AS k (room, user_id)
   JOIN room_members m USING (room, user_id)`,
  [texts((m) => m.room), plain((m) => m.user)],
)
export const readUserRooms = rowsStatement<BatchRequest['userRooms'][number]>(
  'read-user-rooms',
  `SELECT r.user_id, r.room, r.seq, r.member FROM unnest($1::uuid[], $2::text[]) AS k (user_id, room)
   JOIN user_rooms r USING (user_id, room)`,
  [plain((u) => u.user), texts((u) => u.room)],
)
export const insertEvents = rowsStatement<SealedEvent>(
  'insert-events',
  `INSERT INTO stream_events (stream, seq, id, type, actor, time, chain, bytes)
   SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[],
                        $7::text[], $8::text[])`,
  [
    texts((e) => e.stream),
    plain((e) => e.seq),
    plain((e) => e.id),
    texts((e) => e.type),
    texts((e) => e.actor),
    plain((e) => e.time),
    texts((e) => e.chain),
    texts((e) => e.bytes),
  ],
)
const outcomeColumns: readonly Column<Outcome>[] = [
  texts((o) => o.actor),
  plain((o) => o.id),
  texts((o) => o.hash),
  texts((o) => o.subject),
  texts((o) => o.state),
  plain((o) => o.seq),
  texts((o) => o.code),
  texts((o) => o.detail),
]
const insertOutcomesText = `
  INSERT INTO command_outcomes (actor, id, hash, subject, state, seq, code, detail, time)
  SELECT *, now() FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                              $7::text[], $8::text[])`
export const insertOutcomes = rowsStatement<Outcome>('insert-outcomes', insertOutcomesText, outcomeColumns)
export const endHeldOutcomes = rowsStatement<Outcome>(
  'end-held-outcomes',
  `UPDATE command_outcomes o
   SET (hash, subject, state, seq, code, detail, time) = (e.hash, e.subject, e.state, e.seq, e.code, e.detail, now())
   FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
     AS e (actor, id, hash, subject, state, seq, code, detail)
   WHERE o.actor = e.actor AND o.id = e.id AND o.state = 'held' RETURNING o.id`,
  outcomeColumns,
)
export const claimOutcomes = rowsStatement<Outcome>(
  'claim-outcomes',
  `${insertOutcomesText} ON CONFLICT DO NOTHING`,
  outcomeColumns,
)
export const insertMessages = rowsStatement<MessageRow>(
  'insert-messages',
  `INSERT INTO messages (room, seq, message_no, id, author, time, text)
   SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[], $6::timestamptz[],
                        $7::text[])`,
  [
    texts((m) => m.room),
    plain((m) => m.seq),
    plain((m) => m.messageNo),
    plain((m) => m.id),
    plain((m) => m.author),
    plain((m) => m.time),
    texts((m) => m.text),
  ],
)
export const upsertRooms = rowsStatement<Extract<RoomState, { kind: 'room' }> & { readonly room: string }>(
  'upsert-rooms',
  `INSERT INTO rooms (room, name, topic, visibility, member_count)
   SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
   ON CONFLICT (room) DO UPDATE SET (name, topic, visibility, member_count)
     = (EXCLUDED.name, EXCLUDED.topic, EXCLUDED.visibility, EXCLUDED.member_count)`,
  [
    texts((r) => r.room),
    texts((r) => r.name),
    texts((r) => r.topic),
    texts((r) => r.visibility),
    plain((r) => r.memberCount),
  ],
)
export const upsertMembers = rowsStatement<MemberRow>(
  'upsert-members',
  `INSERT INTO room_members (room, user_id, joined_seq)
   SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[])
   ON CONFLICT (room, user_id) DO UPDATE SET joined_seq = EXCLUDED.joined_seq`,
  [texts((m) => m.room), plain((m) => m.user), plain((m) => m.joinedSeq)],
)
export const deleteMembers = rowsStatement<MemberRow>(
  'delete-members',
  `DELETE FROM room_members m USING unnest($1::text[], $2::uuid[]) AS k (room, user_id)
   WHERE m.room = k.room AND m.user_id = k.user_id`,
  [texts((m) => m.room), plain((m) => m.user)],
)
export const upsertUserRooms = rowsStatement<UserRoomRow>(
  'upsert-user-rooms',
  `INSERT INTO user_rooms (user_id, room, seq, member)
   SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[])
   ON CONFLICT (user_id, room) DO UPDATE SET (seq, member) = (EXCLUDED.seq, EXCLUDED.member)`,
  [plain((u) => u.user), texts((u) => u.room), plain((u) => u.seq), plain((u) => u.member)],
)
export const advanceHeads = rowsStatement<readonly [string, StreamHead]>(
  'advance-heads',
  `UPDATE streams s
   SET seq = h.seq, chain = h.chain, time = h.time, message_no = h.message_no, published_seq = h.published_seq
   FROM unnest($1::text[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[])
     AS h (stream, seq, chain, time, message_no, published_seq)
   WHERE s.stream = h.stream`,
  [
    texts(([stream]) => stream),
    plain(([, head]) => head.seq),
    texts(([, head]) => head.chain),
    plain(([, head]) => new Date(head.time).toISOString()),
    plain(([, head]) => head.messageNo),
    plain(([, head]) => head.publishedSeq),
  ],
)
export const markPublished = rowsStatement<PublishedRange>(
  'mark-published',
  `UPDATE streams s SET published_seq = p.up_to
   FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS p (stream, first, up_to)
   WHERE s.stream = p.stream AND s.published_seq >= p.first - 1 AND s.published_seq < p.up_to`,
  [texts((p) => p.stream), plain((p) => p.from), plain((p) => p.upTo)],
)
export const unpublishedOfPartition = (partition: number, limit: number): Query => ({
  name: 'unpublished-of-partition',
  text: `SELECT e.bytes FROM streams s
   CROSS JOIN LATERAL (
     SELECT bytes, seq FROM stream_events
     WHERE stream = s.stream AND seq > s.published_seq ORDER BY seq LIMIT $2) e
   WHERE s.partition = $1 AND s.published_seq < s.seq ORDER BY s.stream, e.seq LIMIT $2`,
  values: [partition, limit],
})
export const unpublishedOfStream = (stream: string, upTo: number, limit: number): Query => ({
  name: 'unpublished-of-stream',
  text: `SELECT e.bytes FROM streams s JOIN stream_events e ON e.stream = s.stream
   WHERE s.stream = $1 AND e.seq > s.published_seq AND e.seq <= $2 ORDER BY e.seq LIMIT $3`,
  values: [stream, upTo, limit],
})
