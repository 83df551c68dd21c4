import { type Head, userSubject } from '@klatsch/contracts'
import type pg from 'pg'
import { textArray } from './pg-arrays.ts'
import { answering } from './prisma.ts'

/** Bytes of events in one answer at most, unless the first alone is longer; whoever asked goes on from the last one. */
const ANSWER_BYTES = 8 * 1024 * 1024

export interface EventPage {
  /** Each event as the exact text that is on the log, ascending. */
  readonly items: readonly string[]
  readonly head: Head
}

/** Streams as they are stored, for gateways and for whoever may read a room. Every call may throw `server.unavailable`. */
export interface Streams {
  /** Those of the streams asked for that this user may read. An own stream that has not begun ends at 0. */
  readable(
    userId: string,
    follow: 'all' | readonly string[],
  ): Promise<readonly { readonly subject: string; readonly first: number; readonly head: Head }[]>
  /** Missing streams are left out. */
  heads(subjects: readonly string[]): Promise<ReadonlyMap<string, Head>>
  /** A missing stream is an empty one. */
  events(subject: string, after: number, limit: number): Promise<EventPage>
  /** Chains by `<subject> <seq>`; missing events are left out. */
  chains(
    cursors: readonly { readonly subject: string; readonly seq: number }[],
  ): Promise<ReadonlyMap<string, string>>
}

type HeadRow = { stream: string; seq: string; chain: string }

const headOf = ({ seq, chain }: Omit<HeadRow, 'stream'>): Head => ({ seq: Number(seq), chain })

const queries = {
  readable: `SELECT s.stream, s.seq, s.chain FROM room_members m JOIN streams s ON s.stream = m.room
    WHERE m.user_id = $1 AND ($2::text[] IS NULL OR m.room = ANY($2::text[]))
    UNION ALL SELECT stream, seq, chain FROM streams WHERE stream = $3`,
  heads: 'SELECT stream, seq, chain FROM streams WHERE stream = ANY($1::text[]) AND seq > 0',
  events: `SELECT s.seq, s.chain, e.bytes FROM streams s
    LEFT JOIN LATERAL (
      SELECT seq, bytes, octet_length(bytes) AS size, sum(octet_length(bytes)) OVER (ORDER BY seq) AS total
      FROM (SELECT seq, bytes FROM stream_events
            WHERE stream = s.stream AND seq > $2 ORDER BY seq LIMIT $3) AS page
    ) AS e ON e.total <= $4 OR e.total = e.size
    WHERE s.stream = $1 ORDER BY e.seq`,
  chains: `SELECT e.stream, e.seq, e.chain FROM unnest($1::text[], $2::bigint[]) AS k (stream, seq)
    JOIN stream_events e USING (stream, seq)`,
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
      if (!heads.has(own)) heads.set(own, { seq: 0, chain: '' })
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
        head: first ? headOf(first) : { seq: 0, chain: '' },
      }
    },
    async chains(cursors) {
      const rows = await ask<HeadRow>('chains', [
        textArray(cursors.map((cursor) => cursor.subject)),
        cursors.map((cursor) => cursor.seq),
      ])
      return new Map(rows.map((row) => [`${row.stream} ${row.seq}`, row.chain]))
    },
  }
}
