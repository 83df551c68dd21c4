// The floor of durability: the rows that chat wrote, inserted once more, five hundred messages a transaction, and
// nothing else: no reading, no deciding, no log. Parameters are encoded before the clock runs.
import pg from 'pg'
import { serveCalls } from '../calls.ts'
import { plainArray, textArray } from './pg-arrays.ts'

const ROWS = 500

/** Tables and the columns of each, with their types. `like`: made like these, empty, in a schema of their own. */
const tables = {
  stream_events: {
    stream: 'text',
    seq: 'bigint',
    id: 'uuid',
    type: 'text',
    actor: 'text',
    time: 'timestamptz',
    chain: 'text',
    bytes: 'text',
  },
  command_outcomes: {
    actor: 'text',
    id: 'uuid',
    hash: 'text',
    subject: 'text',
    state: 'text',
    seq: 'bigint',
    time: 'timestamptz',
  },
  messages: {
    room: 'text',
    seq: 'bigint',
    message_no: 'bigint',
    id: 'uuid',
    author: 'uuid',
    text: 'text',
    time: 'timestamptz',
  },
} as const

type Row = Record<string, string | null>
interface Insert {
  readonly name: string
  readonly text: string
  readonly values: unknown[]
}

const calls = {
  /** Inserts what chat wrote of these rooms' messages; answers messages a second. */
  async measure({
    databaseUrl,
    rooms,
    connections,
  }: {
    databaseUrl: string
    rooms: string[]
    connections: number
  }): Promise<number> {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: connections, pipeline: true })
    try {
      await pool.query('CREATE SCHEMA IF NOT EXISTS floor')
      const batches = await prepare(pool, rooms)
      await Promise.all(Array.from({ length: connections }, () => pool.query('SELECT 1')))
      const begin = performance.now()
      let next = 0
      await Promise.all(
        Array.from({ length: connections }, async () => {
          const client = await pool.connect()
          for (let index = next++; index < batches.inserts.length; index = next++) {
            await Promise.all(
              ['BEGIN', ...batches.inserts[index]!, 'COMMIT'].map((query) => client.query(query as string)),
            )
          }
          client.release()
        }),
      )
      return (batches.messages / (performance.now() - begin)) * 1_000
    } finally {
      await pool.end()
    }
  },
}
export type InsertsCalls = typeof calls
serveCalls(calls)

async function prepare(pool: pg.Pool, rooms: string[]): Promise<{ inserts: Insert[][]; messages: number }> {
  const columns: Record<string, Row[]> = {}
  for (const [table, types] of Object.entries(tables)) {
    await pool.query(`DROP TABLE IF EXISTS floor.${table}`)
    await pool.query(`CREATE TABLE floor.${table} (LIKE public.${table} INCLUDING ALL)`)
    const text = Object.keys(types).map((column) => `t.${column}::text`)
    const stream = { stream_events: 't.stream', command_outcomes: 't.subject', messages: 't.room' }[table]
    const { rows } = await pool.query<Row>(
      `SELECT ${text.join(', ')} FROM public.${table} t JOIN public.messages m ON m.room = ${stream} AND m.seq = t.seq
       WHERE ${stream} = ANY($1::text[]) ORDER BY m.seq, m.room`,
      [rooms],
    )
    columns[table] = rows
  }
  const messages = columns.messages!.length
  const inserts: Insert[][] = []
  for (let at = 0; at < messages; at += ROWS) {
    inserts.push(
      Object.entries(tables).map(([table, types]) =>
        insert(table, types, columns[table]!.slice(at, at + ROWS)),
      ),
    )
  }
  return { inserts, messages }
}

function insert(table: string, types: Readonly<Record<string, string>>, rows: readonly Row[]): Insert {
  const names = Object.keys(types)
  const unnest = names.map((name, index) => `$${index + 1}::${types[name]}[]`)
  return {
    name: `insert-${table}`,
    text: `INSERT INTO floor.${table} (${names.join(', ')}) SELECT * FROM unnest(${unnest.join(', ')})`,
    values: names.map((name) => {
      const values = rows.map((row) => row[name] ?? null)
      return types[name] === 'text' ? textArray(values) : plainArray(values)
    }),
  }
}
