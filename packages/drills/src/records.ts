import type { Api } from '@klatsch/client'
import { streamEventSchema } from '@klatsch/contracts'
import { Client } from 'pg'
import type { Read } from './history.ts'
import { readOf, roomId } from './recorder.ts'

const PAGE = 200

/** What Postgres has of these rooms, and how many of its messages differ from what its events say. */
export async function readPostgres(
  databaseUrl: string,
  rooms: readonly string[],
): Promise<{ readonly reads: Read[]; readonly projectionDifferences: number }> {
  const client = new Client({
    connectionString: databaseUrl,
    statement_timeout: 60_000,
    connectionTimeoutMillis: 10_000,
  })
  await client.connect()
  try {
    const events = await client.query<{ bytes: string }>(
      'SELECT bytes FROM stream_events WHERE stream = ANY($1) ORDER BY stream, seq',
      [rooms],
    )
    const differences = await client.query<{ count: string }>(
      `SELECT count(*) FROM
         (SELECT stream, seq, id, bytes::jsonb #>> '{data,text}' AS text FROM stream_events
          WHERE stream = ANY($1) AND type = 'chat.message.sent.v1') e
       FULL JOIN (SELECT room, seq, id, text FROM messages WHERE room = ANY($1)) m ON m.room = e.stream AND m.seq = e.seq
       WHERE (e.id, e.text) IS DISTINCT FROM (m.id, m.text)`,
      [rooms],
    )
    return {
      reads: events.rows.map(({ bytes }) => readOf('postgres', streamEventSchema.parse(JSON.parse(bytes)))),
      projectionDifferences: Number(differences.rows[0]?.count),
    }
  } finally {
    await client.end()
  }
}

/** What `GET /api/rooms/{id}/events` answers for these rooms, from their beginning to their end. */
export async function readHttp(api: Pick<Api, 'events'>, rooms: readonly string[]): Promise<Read[]> {
  const reads: Read[] = []
  for (const room of rooms) {
    for (let after = 0, more = true; more; ) {
      const { items, head } = await api.events(roomId(room), { after, limit: PAGE })
      for (const event of items) reads.push(readOf('http', event))
      after = items.at(-1)?.seq ?? after
      more = items.length > 0 && after < head
    }
  }
  return reads
}
