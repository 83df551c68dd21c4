import { emptyTip, type StreamTip, userSubject } from '@klatsch/contracts'
import type pg from 'pg'
import { textArray } from './pg-arrays.ts'
import { answering } from './prisma.ts'

/** Bytes of events in one answer at most, unless the first alone is longer; whoever asked goes on from the last one. */
const ANSWER_BYTES = 8 * 1024 * 1024

export interface EventPage {
  /** Each event as the exact text that is on the log, ascending. */
  readonly items: readonly string[]
  readonly head: StreamTip
}

/** Streams as they are stored, for gateways and for whoever may read a room. Every call may throw `server.unavailable`. */
export interface Streams {
  /** Those of the streams asked for that this user may read. An own stream that has not begun ends at 0. */
  readable(
    userId: string,
    follow: 'all' | readonly string[],
  ): Promise<readonly { readonly subject: string; readonly first: number; readonly head: StreamTip }[]>
  /** Missing streams are left out. */
  heads(subjects: readonly string[]): Promise<ReadonlyMap<string, StreamTip>>
  /** A missing stream is an empty one. */
  events(subject: string, after: number, limit: number): Promise<EventPage>
}

type HeadRow = { stream: string; seq: string; chain: string; message_no: string; ms: string }

const headOf = ({ seq, chain, message_no, ms }: Omit<HeadRow, 'stream'>): StreamTip => ({
  seq: Number(seq),
  chain,
  messageNo: Number(message_no),
  time: new Date(Number(ms)).toISOString(),
})

const HEAD = 's.seq, s.chain, s.message_no, (extract(epoch FROM s.time) * 1000)::bigint AS ms'

const queries = {
  readable: `SELECT s.stream, ${HEAD} FROM room_members m JOIN streams s ON s.stream = m.room
    WHERE m.user_id = $1 AND ($2::text[] IS NULL OR m.room = ANY($2::text[]))
    UNION ALL SELECT s.stream, ${HEAD} FROM streams s WHERE s.stream = $3`,
  heads: `SELECT s.stream, ${HEAD} FROM streams s WHERE s.stream = ANY($1::text[]) AND s.seq > 0`,
  events: `SELECT ${HEAD}, e.bytes FROM streams s
    LEFT JOIN LATERAL (
      SELECT seq, bytes, octet_length(bytes) AS size, sum(octet_length(bytes)) OVER (ORDER BY seq) AS total
      FROM (SELECT seq, bytes FROM stream_events
            WHERE stream = s.stream AND seq > $2 ORDER BY seq LIMIT $3) AS page
    ) AS e ON e.total <= $4 OR e.total = e.size
    WHERE s.stream = $1 ORDER BY e.seq`,
}

export function postgresStreams(pool: pg.Pool): Streams {
  async function ask<R extends pg.QueryResultRow>(
    name: keyof typeof queries,
    values: unknown[],
  ): Promise<R[]> {
    return (await answering(pool.query<R>({ name, text: queries[name], values }))).rows
  }

  return {
    async readable(userId, follow) {
      const own = userSubject(userId)
      const rows = await ask<HeadRow>('readable', [userId, follow === 'all' ? null : textArray(follow), own])
      const heads = new Map(rows.map((row) => [row.stream, headOf(row)]))
      if (!heads.has(own)) heads.set(own, emptyTip)
      if (follow !== 'all' && !follow.includes(own)) heads.delete(own)
      return [...heads].map(([subject, head]) => ({ subject, first: 1, head }))
    },
    async heads(subjects) {
      const rows = await ask<HeadRow>('heads', [textArray(subjects)])
      return new Map(rows.map((row) => [row.stream, headOf(row)]))
    },
    async events(subject, after, limit) {
      type EventRow = Omit<HeadRow, 'stream'> & { bytes: string | null }
      const rows = await ask<EventRow>('events', [subject, after, limit, ANSWER_BYTES])
      const [first] = rows
      return {
        items: rows.flatMap(({ bytes }) => (bytes === null ? [] : [bytes])),
        head: first ? headOf(first) : emptyTip,
      }
    },
  }
}
