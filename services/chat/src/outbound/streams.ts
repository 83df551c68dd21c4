import { type EventsBody, emptyTip, type StreamsBody, type StreamTip, userSubject } from '@klatsch/contracts'
import { LRUCache } from 'lru-cache'
import type pg from 'pg'
import { plainArray, textArray } from './pg-arrays.ts'
import { answering } from './prisma.ts'

/** Bytes of events in one answer at most, unless the first of each page alone is longer; whoever asked goes on from the last one. */
const ANSWER_BYTES = 4 * 1024 * 1024
const PAGE_BYTES = 64 * 1024
/** Full pages never change. Those who come back all at once want the same ones. */
const RECENT_BYTES = 16 * 1024 * 1024
const RECENT_MS = 5_000

export interface EventPage {
  /** Each event as the exact text that is on the log, ascending. */
  readonly items: readonly string[]
  readonly head: StreamTip
}

export interface PageQuestion {
  readonly user: string
  readonly session: string
  readonly subject: string
  /** The seq after which it begins. */
  readonly after: number
  readonly limit: number
}

export interface RoomPage {
  /** The events as the exact bytes that are on the log, ascending, with a comma between them. */
  readonly items: Buffer
  readonly count: number
  /** Where the room ends. */
  readonly head: number
}

export interface ReadableStream {
  readonly subject: string
  readonly first: number
  readonly head: StreamTip
}

/**
 * Streams as they are stored, for gateways and for whoever may read a room: one query a call, as of one moment, with one
 * answer for each question, in their order. Every call may throw `server.unavailable`.
 */
export interface Streams {
  /** Those of the streams asked for that each user may read, one's own first. An own stream that has not begun ends at 0. */
  readable(questions: StreamsBody['questions']): Promise<readonly (readonly ReadableStream[])[]>
  /** Missing streams are left out. */
  heads(subjects: readonly string[]): Promise<ReadonlyMap<string, StreamTip>>
  /** A page of a room; undefined for who is not a member of it, or has no open session. */
  page(question: PageQuestion): Promise<RoomPage | undefined>
  /** A missing stream is an empty one. */
  events(pages: EventsBody['pages']): Promise<readonly EventPage[]>
}

interface HeadRow {
  readonly stream: string
  readonly seq: string
  readonly chain: string
  readonly message_no: string
  readonly ms: string
}
/** `n`: which question it answers, from 0. */
type Numbered<R> = R & { readonly n: number }

const headOf = ({ seq, chain, message_no, ms }: Omit<HeadRow, 'stream'>): StreamTip => ({
  seq: Number(seq),
  chain,
  messageNo: Number(message_no),
  time: new Date(Number(ms)).toISOString(),
})

const HEAD = 's.seq, s.chain, s.message_no, (extract(epoch FROM s.time) * 1000)::bigint AS ms'

const queries = {
  readable: `SELECT k.n, s.stream, ${HEAD} FROM unnest($1::int[], $2::text[]) AS k (n, stream)
      JOIN streams s ON s.stream = k.stream
    UNION ALL SELECT k.n, s.stream, ${HEAD} FROM unnest($3::int[], $4::uuid[]) AS k (n, user_id)
      JOIN room_members m ON m.user_id = k.user_id JOIN streams s ON s.stream = m.room
    UNION ALL SELECT k.n, s.stream, ${HEAD} FROM unnest($5::int[], $6::uuid[], $7::text[]) AS k (n, user_id, room)
      JOIN room_members m ON m.room = k.room AND m.user_id = k.user_id JOIN streams s ON s.stream = m.room`,
  heads: `SELECT s.stream, ${HEAD} FROM streams s WHERE s.stream = ANY($1::text[]) AND s.seq > 0`,
  // One row, whatever it holds: most of what a page of many rows costs is that they are many.
  page: `SELECT s.seq AS head, e.items, e.count FROM room_members m
    JOIN sessions o ON o.id = $1 AND o.revoked_at IS NULL
    JOIN streams s ON s.stream = m.room
    CROSS JOIN LATERAL (
      SELECT coalesce(string_agg(bytes, ',' ORDER BY seq), '') AS items, count(*)::int AS count
      FROM (SELECT seq, bytes, octet_length(bytes) AS size, sum(octet_length(bytes)) OVER (ORDER BY seq) AS total
            FROM (SELECT seq, bytes FROM stream_events
                  WHERE stream = $3 AND seq > $4 ORDER BY seq LIMIT $5) AS page) AS sized
      WHERE total <= $6 OR total = size
    ) AS e
    WHERE m.room = $3 AND m.user_id = $2`,
  events: `SELECT (k.n - 1)::int AS n, ${HEAD}, e.bytes
    FROM unnest($1::text[], $2::bigint[], $3::int[]) WITH ORDINALITY AS k (stream, after, most, n)
    JOIN streams s ON s.stream = k.stream
    LEFT JOIN LATERAL (
      SELECT seq, bytes, octet_length(bytes) AS size, sum(octet_length(bytes)) OVER (ORDER BY seq) AS total
      FROM (SELECT seq, bytes FROM stream_events
            WHERE stream = k.stream AND seq > k.after ORDER BY seq LIMIT k.most) AS page
    ) AS e ON e.total <= $4 OR e.total = e.size
    ORDER BY k.n, e.seq`,
}

export function postgresStreams(pool: pg.Pool): Streams {
  const recent = new LRUCache<string, Pick<RoomPage, 'items' | 'count'>>({
    maxSize: RECENT_BYTES,
    sizeCalculation: ({ items }) => Math.max(1, items.length),
    ttl: RECENT_MS,
  })

  async function ask<R extends object>(name: keyof typeof queries, values: unknown[]): Promise<R[]> {
    return (await answering(pool.query<R & pg.QueryResultRow>({ name, text: queries[name], values }))).rows
  }

  return {
    async readable(questions) {
      const owns: { n: number; own: string }[] = []
      const alls: { n: number; user: string }[] = []
      const named: { n: number; user: string; room: string }[] = []
      questions.forEach(({ user, follow }, n) => {
        const own = userSubject(user)
        if (follow === 'all' || follow.includes(own)) owns.push({ n, own })
        if (follow === 'all') alls.push({ n, user })
        else for (const room of new Set(follow)) named.push({ n, user, room })
      })
      const rows = await ask<Numbered<HeadRow>>('readable', [
        plainArray(owns.map(({ n }) => n)),
        textArray(owns.map(({ own }) => own)),
        plainArray(alls.map(({ n }) => n)),
        plainArray(alls.map(({ user }) => user)),
        plainArray(named.map(({ n }) => n)),
        plainArray(named.map(({ user }) => user)),
        textArray(named.map(({ room }) => room)),
      ])
      const heads = new Map<string, StreamTip>()
      const answers: Map<string, StreamTip>[] = questions.map(() => new Map())
      for (const { n, own } of owns) answers[n]!.set(own, emptyTip)
      for (const row of rows) {
        const head = heads.get(row.stream) ?? headOf(row)
        heads.set(row.stream, head)
        answers[row.n]!.set(row.stream, head)
      }
      return answers.map((answer) => [...answer].map(([subject, head]) => ({ subject, first: 1, head })))
    },
    async heads(subjects) {
      const rows = await ask<HeadRow>('heads', [textArray(subjects)])
      return new Map(rows.map((row) => [row.stream, headOf(row)]))
    },
    async page({ session, user, subject, after, limit }) {
      type PageRow = { readonly head: string; readonly items: string; readonly count: number }
      const name = `${subject} ${after} ${limit}`
      const known = recent.get(name)
      const [row] = await ask<PageRow>('page', [
        session,
        user,
        subject,
        after,
        known ? 0 : limit,
        ANSWER_BYTES,
      ])
      if (!row) return undefined
      const page = known ?? { items: Buffer.from(row.items), count: row.count }
      if (!known && page.count === limit) recent.set(name, page)
      return { ...page, head: Number(row.head) }
    },
    async events(pages) {
      type EventRow = Numbered<Omit<HeadRow, 'stream'> & { readonly bytes: string | null }>
      const rows = await ask<EventRow>('events', [
        textArray(pages.map(({ subject }) => subject)),
        plainArray(pages.map(({ after }) => after)),
        plainArray(pages.map(({ limit }) => limit)),
        Math.max(PAGE_BYTES, Math.floor(ANSWER_BYTES / Math.max(1, pages.length))),
      ])
      const answers: { items: string[]; head: StreamTip }[] = pages.map(() => ({ items: [], head: emptyTip }))
      for (const row of rows) {
        const answer = answers[row.n]!
        if (answer.head === emptyTip) answer.head = headOf(row)
        if (row.bytes !== null) answer.items.push(row.bytes)
      }
      return answers
    },
  }
}
