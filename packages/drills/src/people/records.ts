import type { Api } from '@klatsch/client'
import { KlatschError, streamEventSchema } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import { Client } from 'pg'
import type { Answer, Read, Send } from '../judge/history.ts'
import { readOf, roomId } from './recorder.ts'

const PAGE = 200
const PATIENCE_MS = 60_000
const AGAIN_MS = 500

/** Asks Postgres something about rooms, which are `$1`; the rows are objects by the names of their columns. */
export type AskRecord = <Row extends object>(sql: string, rooms: readonly string[]) => Promise<Row[]>

/** Whose address is known. */
export const recordAt =
  (databaseUrl: string): AskRecord =>
  async <Row extends object>(sql: string, rooms: readonly string[]) => {
    const client = new Client({
      connectionString: databaseUrl,
      statement_timeout: 60_000,
      connectionTimeoutMillis: 10_000,
    })
    await client.connect()
    try {
      return (await client.query<Row>(sql, [rooms])).rows
    } finally {
      await client.end()
    }
  }

/** How far each of these rooms is, as Postgres says. */
export async function headsInPostgres(
  ask: AskRecord,
  rooms: readonly string[],
): Promise<Map<string, number>> {
  const rows = await ask<{ stream: string; head: string | number }>(
    'SELECT stream, max(seq) AS head FROM stream_events WHERE stream = ANY($1) GROUP BY stream',
    rooms,
  )
  return new Map(rows.map(({ stream, head }) => [stream, Number(head)]))
}

/** What Postgres has of these rooms, and the messages of its read table that differ from what its events say. */
export async function readPostgres(ask: AskRecord, rooms: readonly string[]) {
  const events = await ask<{ bytes: string }>(
    'SELECT bytes FROM stream_events WHERE stream = ANY($1) ORDER BY stream, seq',
    rooms,
  )
  const different = await ask<{ room: string; seq: string | number }>(
    `SELECT coalesce(e.stream, m.room) AS room, coalesce(e.seq, m.seq) AS seq FROM
       (SELECT stream, seq, id, bytes::jsonb #>> '{data,text}' AS text FROM stream_events
        WHERE stream = ANY($1) AND type = 'chat.message.sent.v1') e
     FULL JOIN (SELECT room, seq, id, text FROM messages WHERE room = ANY($1)) m ON m.room = e.stream AND m.seq = e.seq
     WHERE (e.id, e.text) IS DISTINCT FROM (m.id, m.text)`,
    rooms,
  )
  return {
    reads: events.map(({ bytes }) => readOf('postgres', streamEventSchema.parse(JSON.parse(bytes)))),
    different: different.map(({ room, seq }) => ({ room, seq: Number(seq) })),
  }
}

/** What `GET /api/rooms/{id}/events` answers for these rooms, from their beginning to their end. */
export async function readHttp(
  apiOf: (room: string) => Pick<Api, 'events'>,
  rooms: readonly string[],
): Promise<Read[]> {
  const reads: Read[] = []
  for (const room of rooms) {
    for (let after = 0, more = true; more; ) {
      const { items, head } = await patiently(() => apiOf(room).events(roomId(room), { after, limit: PAGE }))
      for (const event of items) reads.push(readOf('http', event))
      after = items.at(-1)?.seq ?? after
      more = items.length > 0 && after < head
    }
  }
  return reads
}

/** How far each of these rooms is, as HTTP says. */
export async function headsOverHttp(
  apiOf: (room: string) => Pick<Api, 'events'>,
  rooms: readonly string[],
): Promise<Map<string, number>> {
  const heads = new Map<string, number>()
  for (const room of rooms) {
    heads.set(room, (await patiently(() => apiOf(room).events(roomId(room), { limit: 1 }))).head)
  }
  return heads
}

/** What the system says of commands that had no good end for their sender; one that it cannot be asked of is left out. */
export async function askOutcomes(
  apis: ReadonlyMap<string, Pick<Api, 'commandState'>>,
  sends: readonly Send[],
): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const { actor, command, outcome } of sends) {
    const api = apis.get(actor)
    if (!api || outcome.kind === 'acked') continue
    const { state, seq } = await patiently(() => api.commandState(command))
    answers.push({ actor, command, state, seq })
  }
  return answers
}

/** Tries again what may be tried again, for a minute. */
export async function patiently<T>(task: () => Promise<T>, withinMs = PATIENCE_MS): Promise<T> {
  const deadline = systemScheduler.now() + withinMs
  for (;;) {
    try {
      return await task()
    } catch (error) {
      if (!(error instanceof KlatschError) || !error.retryable || systemScheduler.now() > deadline)
        throw error
      await pause(systemScheduler, Math.max(AGAIN_MS, error.retryAfterMs ?? 0))
    }
  }
}
