import { PassingFault } from '@klatsch/event-bus'
import pg from 'pg'

export interface PostgresOptions {
  readonly url: string
  readonly ssl: boolean
  readonly hot: boolean
  /** Connections at most. */
  readonly max: number
  /** Called for a connection that breaks while nobody uses it. */
  readonly onIdleError: (error: Error) => void
  /** Milliseconds; for tests. */
  readonly timeouts?: Partial<Timeouts>
}

interface Timeouts {
  readonly connect: number
  /** How long a batch waits for another's locks. A zombie's end in time by `idleInTransaction`. */
  readonly lock: number
  readonly statement: number
  readonly idleInTransaction: number
  /** For a server that does not answer at all, not even with an error. */
  readonly answer: number
}

const usual: Timeouts = {
  connect: 5_000,
  lock: 3_000,
  statement: 10_000,
  idleInTransaction: 5_000,
  answer: 15_000,
}

/** Settings of a connection that needs a direct or session-pooled server, as prepared statements do too. */
const settings = (t: Timeouts) => `
  SET lock_timeout = ${t.lock}; SET statement_timeout = ${t.statement};
  SET idle_in_transaction_session_timeout = ${t.idleInTransaction}; SET jit = off;
  SET default_transaction_isolation = 'read committed'; SET timezone = 'UTC'`

/**
 * All that the hot path asks goes by primary keys or the one index made for it: prepared while tables are empty,
 * a plan must not become a scan of what they grow to be.
 */
const byKeyOnly = '; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off'

/**
 * Connections of one kind of work. `hot`: they take several queries at once, without waiting for each answer, and
 * look things up by key only.
 */
export function postgresPool(options: PostgresOptions): pg.Pool {
  const timeouts = { ...usual, ...options.timeouts }
  const pool = new pg.Pool({
    connectionString: options.url,
    ...(options.ssl ? { ssl: true } : {}),
    max: options.max,
    connectionTimeoutMillis: timeouts.connect,
    query_timeout: timeouts.answer,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    pipeline: options.hot,
    application_name: 'klatsch-chat',
    async onConnect(client) {
      await client.query(`${settings(timeouts)}${options.hot ? byKeyOnly : ''}`)
    },
  })
  pool.on('error', options.onIdleError)
  // One that breaks in use fails its queries, and also says so itself: unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** SQLSTATE classes that are the fault of the values given; all else is of the server, the moment or the schema. */
const ownFault = new Set(['21', '22', '23', '54'])
const UNIQUE_VIOLATION = '23505'

/** A thrown database error as what it means for the record being worked on. Judged by SQLSTATE, never by words. */
export function databaseFault(error: unknown): Error {
  if (error instanceof pg.DatabaseError && error.code !== undefined && error.code !== UNIQUE_VIOLATION) {
    if (ownFault.has(error.code.slice(0, 2))) return error
  }
  return new PassingFault(`the database: ${codeOf(error)}`, { cause: error })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'no answer'
}

/** Runs database work; what fails is thrown as `databaseFault` has it. */
export async function asking<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw databaseFault(error)
  }
}
