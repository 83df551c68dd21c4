import { type ErrorCode, partitionOf, topics, type Visibility } from '@klatsch/contracts'
import type pg from 'pg'
import type { BatchRequest, BatchWrites, CommandStore, LoadedBatch } from '../domain/command-store.ts'
import type { StreamHead } from '../domain/events.ts'
import { type Outcome, outcomeKey } from '../domain/outcomes.ts'
import type { RoomState } from '../domain/room.ts'
import type { UserRoom, UserState } from '../domain/user-stream.ts'
import { plainArray, textArray } from './pg-arrays.ts'
import { asking, databaseFault } from './postgres.ts'
import { eventOfRow } from './stored-event.ts'

/** Streams of this partition of `chat.commands` are decided by one consumer. */
export const partitionOfStream = (stream: string): number => partitionOf(stream, topics.commands.partitions)

type Row = Record<string, unknown>
type Query = { name: string; text: string; values: unknown[] }
const statement =
  (name: string, text: string) =>
  (...values: unknown[]): Query => ({ name, text, values })

const beginStreams = statement(
  'begin-streams',
  `INSERT INTO streams (stream, partition)
   SELECT * FROM unnest($1::text[], $2::smallint[]) ON CONFLICT DO NOTHING`,
)
const lockStreams = statement(
  'lock-streams',
  `SELECT stream, seq, chain, (extract(epoch FROM time) * 1000)::bigint AS time, message_no, published_seq
   FROM streams WHERE stream = ANY($1::text[]) ORDER BY stream FOR UPDATE`,
)
const dropEmptyStreams = statement(
  'drop-empty-streams',
  'DELETE FROM streams WHERE stream = ANY($1::text[]) AND seq = 0',
)
const readOutcomes = statement(
  'read-outcomes',
  `SELECT o.actor, o.id, o.hash, o.subject, o.state, o.seq, o.code, o.detail
   FROM unnest($1::text[], $2::uuid[]) AS k (actor, id) JOIN command_outcomes o USING (actor, id)`,
)
const readRooms = statement(
  'read-rooms',
  'SELECT room, name, topic, visibility, member_count FROM rooms WHERE room = ANY($1::text[])',
)
const readMembers = statement(
  'read-members',
  `SELECT m.room, m.user_id FROM unnest($1::text[], $2::uuid[]) AS k (room, user_id)
   JOIN room_members m USING (room, user_id)`,
)
const readUserRooms = statement(
  'read-user-rooms',
  `SELECT r.user_id, r.room, r.seq, r.member FROM unnest($1::uuid[], $2::text[]) AS k (user_id, room)
   JOIN user_rooms r USING (user_id, room)`,
)
const insertEvents = statement(
  'insert-events',
  `INSERT INTO stream_events (stream, seq, id, type, actor, time, chain, bytes)
   SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[],
                        $7::text[], $8::text[])`,
)
const insertOutcomes = statement(
  'insert-outcomes',
  `INSERT INTO command_outcomes (actor, id, hash, subject, state, seq, code, detail, time)
   SELECT *, now() FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                        $7::text[], $8::text[])`,
)
const insertMessages = statement(
  'insert-messages',
  `INSERT INTO messages (room, seq, message_no, id, author, time, text)
   SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[], $6::timestamptz[],
                        $7::text[])`,
)
const upsertRooms = statement(
  'upsert-rooms',
  `INSERT INTO rooms (room, name, topic, visibility, member_count)
   SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
   ON CONFLICT (room) DO UPDATE SET (name, topic, visibility, member_count)
     = (EXCLUDED.name, EXCLUDED.topic, EXCLUDED.visibility, EXCLUDED.member_count)`,
)
const upsertMembers = statement(
  'upsert-members',
  `INSERT INTO room_members (room, user_id, joined_seq)
   SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[])
   ON CONFLICT (room, user_id) DO UPDATE SET joined_seq = EXCLUDED.joined_seq`,
)
const deleteMembers = statement(
  'delete-members',
  `DELETE FROM room_members m USING unnest($1::text[], $2::uuid[]) AS k (room, user_id)
   WHERE m.room = k.room AND m.user_id = k.user_id`,
)
const upsertUserRooms = statement(
  'upsert-user-rooms',
  `INSERT INTO user_rooms (user_id, room, seq, member)
   SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[])
   ON CONFLICT (user_id, room) DO UPDATE SET (seq, member) = (EXCLUDED.seq, EXCLUDED.member)`,
)
const advanceHeads = statement(
  'advance-heads',
  `UPDATE streams s SET seq = h.seq, chain = h.chain, time = h.time, message_no = h.message_no
   FROM unnest($1::text[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[])
     AS h (stream, seq, chain, time, message_no)
   WHERE s.stream = h.stream`,
)
const markPublished = statement(
  'mark-published',
  `UPDATE streams s SET published_seq = p.up_to
   FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS p (stream, first, up_to)
   WHERE s.stream = p.stream AND s.published_seq >= p.first - 1 AND s.published_seq < p.up_to`,
)
const unpublishedOfPartition = statement(
  'unpublished-of-partition',
  `SELECT e.bytes FROM streams s
   CROSS JOIN LATERAL (
     SELECT bytes, seq FROM stream_events
     WHERE stream = s.stream AND seq > s.published_seq ORDER BY seq LIMIT $2) e
   WHERE s.partition = $1 AND s.published_seq < s.seq ORDER BY s.stream, e.seq LIMIT $2`,
)
const unpublishedOfStream = statement(
  'unpublished-of-stream',
  `SELECT e.bytes FROM streams s JOIN stream_events e ON e.stream = s.stream
   WHERE s.stream = $1 AND e.seq > s.published_seq AND e.seq <= $2 ORDER BY e.seq LIMIT $3`,
)
const claimOutcome = statement(
  'claim-outcome',
  `INSERT INTO command_outcomes (actor, id, hash, subject, state, seq, code, detail, time)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now()) ON CONFLICT DO NOTHING`,
)

/** The record in Postgres. Round trips are what a batch waits for, so it asks in two bursts, not one by one. */
export function postgresStore(pool: pg.Pool): CommandStore {
  async function transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await asking(pool.connect())
    let broken = true
    try {
      const result = await work(client)
      broken = false
      return result
    } finally {
      // A connection whose transaction did not end as planned is closed: that ends it for certain.
      client.release(broken)
    }
  }

  return {
    transact: (request, decide) =>
      transaction(async (client) => {
        const loaded = await load(client, request)
        const writes = decide(loaded)
        await write(client, request, loaded, writes)
        return writes
      }),

    markPublished: (ranges) =>
      transaction(async (client) => {
        const sorted = ranges.toSorted((a, b) => (a.stream < b.stream ? -1 : 1))
        await pipelined(client, [
          'BEGIN',
          // Lost in a crash, it is published once more; nothing else hangs on it.
          'SET LOCAL synchronous_commit = off',
          markPublished(
            textArray(sorted.map((r) => r.stream)),
            plainArray(sorted.map((r) => r.from)),
            plainArray(sorted.map((r) => r.upTo)),
          ),
          'COMMIT',
        ])
      }),

    async unpublished(of, limit) {
      const query =
        'partition' in of
          ? unpublishedOfPartition(of.partition, limit)
          : unpublishedOfStream(of.stream, of.upTo, limit)
      const { rows } = await asking(pool.query<{ bytes: string }>(query))
      return rows.map(({ bytes }) => eventOfRow(bytes))
    },

    async claim({ actor, id, hash, subject, state, seq, code, detail }) {
      await asking(pool.query(claimOutcome(actor, id, hash, subject, state, seq, code, detail)))
      const { rows } = await asking(pool.query<Row>(readOutcomes(textArray([actor]), plainArray([id]))))
      return outcomeOf(rows[0]!)
    },
  }
}

/** Sends all at once and waits for all. Throws the first fault; what comes behind it fails with it. */
async function pipelined(
  client: pg.PoolClient,
  queries: readonly (string | Query)[],
): Promise<pg.QueryResult<Row>[]> {
  const answers = await Promise.allSettled(queries.map((query) => client.query<Row>(query as string)))
  return answers.map((answer) => {
    if (answer.status === 'rejected') throw databaseFault(answer.reason)
    return answer.value
  })
}

async function load(client: pg.PoolClient, request: BatchRequest): Promise<LoadedBatch> {
  const { streams, create, outcomes, members, userRooms } = request
  const rooms = streams.filter((stream) => stream.startsWith('room:'))
  // Each statement sees what was committed before it began: what comes after the locks sees what their holders wrote.
  const asked: [boolean, string | Query][] = [
    [true, 'BEGIN'],
    [create.length > 0, beginStreams(textArray(create), plainArray(create.map(partitionOfStream)))],
    [true, lockStreams(textArray(streams))],
    [true, readOutcomes(textArray(outcomes.map((o) => o.actor)), plainArray(outcomes.map((o) => o.id)))],
    [rooms.length > 0, readRooms(textArray(rooms))],
    [
      members.length > 0,
      readMembers(textArray(members.map((m) => m.room)), plainArray(members.map((m) => m.user))),
    ],
    [
      userRooms.length > 0,
      readUserRooms(plainArray(userRooms.map((u) => u.user)), textArray(userRooms.map((u) => u.room))),
    ],
  ]
  const wanted = asked.filter(([is]) => is).map(([, query]) => query)
  const answers = await pipelined(client, wanted)
  const rowsOf = (index: number): Row[] => {
    const [is, query] = asked[index]!
    return is ? answers[wanted.indexOf(query)]!.rows : []
  }
  return loadedOf(rowsOf(2), rowsOf(3), rowsOf(4), rowsOf(5), rowsOf(6))
}

function loadedOf(
  heads: Row[],
  outcomes: Row[],
  rooms: Row[],
  members: Row[],
  userRooms: Row[],
): LoadedBatch {
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

const outcomeOf = (row: Row): Outcome => ({
  actor: String(row.actor),
  id: String(row.id),
  hash: text(row.hash),
  subject: text(row.subject),
  state: row.state as Outcome['state'],
  seq: row.seq === null ? undefined : Number(row.seq),
  code: text(row.code) as ErrorCode | undefined,
  detail: text(row.detail),
})

async function write(
  client: pg.PoolClient,
  request: BatchRequest,
  loaded: LoadedBatch,
  writes: BatchWrites,
): Promise<void> {
  const { events, outcomes, heads, projections, rooms } = writes
  const { messages, members, userRooms } = projections
  const queries: (string | Query)[] = []
  if (events.length > 0) {
    queries.push(
      insertEvents(
        textArray(events.map((e) => e.stream)),
        plainArray(events.map((e) => e.seq)),
        plainArray(events.map((e) => e.id)),
        textArray(events.map((e) => e.type)),
        textArray(events.map((e) => e.actor)),
        plainArray(events.map((e) => e.time)),
        textArray(events.map((e) => e.chain)),
        textArray(events.map((e) => e.bytes)),
      ),
    )
  }
  if (outcomes.length > 0) {
    queries.push(
      insertOutcomes(
        textArray(outcomes.map((o) => o.actor)),
        plainArray(outcomes.map((o) => o.id)),
        textArray(outcomes.map((o) => o.hash)),
        textArray(outcomes.map((o) => o.subject)),
        textArray(outcomes.map((o) => o.state)),
        plainArray(outcomes.map((o) => o.seq)),
        textArray(outcomes.map((o) => o.code)),
        textArray(outcomes.map((o) => o.detail)),
      ),
    )
  }
  if (messages.length > 0) {
    queries.push(
      insertMessages(
        textArray(messages.map((m) => m.room)),
        plainArray(messages.map((m) => m.seq)),
        plainArray(messages.map((m) => m.messageNo)),
        plainArray(messages.map((m) => m.id)),
        plainArray(messages.map((m) => m.author)),
        plainArray(messages.map((m) => m.time)),
        textArray(messages.map((m) => m.text)),
      ),
    )
  }
  const changed = [...projections.rooms].flatMap((name) => {
    const room = rooms.get(name)
    return room?.kind === 'room' ? [{ ...room, room: name }] : []
  })
  if (changed.length > 0) {
    queries.push(
      upsertRooms(
        textArray(changed.map((r) => r.room)),
        textArray(changed.map((r) => r.name)),
        textArray(changed.map((r) => r.topic)),
        textArray(changed.map((r) => r.visibility)),
        plainArray(changed.map((r) => r.memberCount)),
      ),
    )
  }
  const joined = members.filter((m) => m.joinedSeq !== undefined)
  if (joined.length > 0) {
    queries.push(
      upsertMembers(
        textArray(joined.map((m) => m.room)),
        plainArray(joined.map((m) => m.user)),
        plainArray(joined.map((m) => m.joinedSeq)),
      ),
    )
  }
  const left = members.filter((m) => m.joinedSeq === undefined)
  if (left.length > 0) {
    queries.push(deleteMembers(textArray(left.map((m) => m.room)), plainArray(left.map((m) => m.user))))
  }
  if (userRooms.length > 0) {
    queries.push(
      upsertUserRooms(
        plainArray(userRooms.map((u) => u.user)),
        textArray(userRooms.map((u) => u.room)),
        plainArray(userRooms.map((u) => u.seq)),
        plainArray(userRooms.map((u) => u.member)),
      ),
    )
  }
  if (heads.size > 0) {
    const rows = [...heads]
    queries.push(
      advanceHeads(
        textArray(rows.map(([stream]) => stream)),
        plainArray(rows.map(([, head]) => head.seq)),
        textArray(rows.map(([, head]) => head.chain)),
        plainArray(rows.map(([, head]) => new Date(head.time).toISOString())),
        plainArray(rows.map(([, head]) => head.messageNo)),
      ),
    )
  }
  // Begun for a command that was then refused: a stream without events is none.
  const empty = request.create.filter((stream) => loaded.heads.get(stream)?.seq === 0 && !heads.has(stream))
  if (empty.length > 0) queries.push(dropEmptyStreams(textArray(empty)))
  await pipelined(client, [...queries, 'COMMIT'])
}
