import type { Breaker } from '@klatsch/service-kit'
import pg from 'pg'

export interface PostgresOptions {
  readonly url: string
  readonly ssl: boolean
  readonly hot: boolean
  /** Connections at most. */
  readonly max: number
  /** Called for a connection that breaks while nobody uses it. */
  readonly onIdleError: (error: Error) => void
  /** Before each new connection; one for all pools of a server. */
  readonly breaker?: Breaker
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
  if (options.breaker) guardConnecting(pool, options.max, options.breaker)
  return pool
}

/** While the server is away, who needs a new connection hears so at once, and one of them at a time tries. */
function guardConnecting(pool: pg.Pool, max: number, breaker: Breaker): void {
  const connect: () => Promise<pg.PoolClient> = pool.connect.bind(pool)
  type Callback = (error: Error | undefined, client: pg.PoolClient | undefined, release: () => void) => void
  const guarded = (callback?: Callback): Promise<pg.PoolClient> | undefined => {
    // Waiting for one that is in use says nothing about the server.
    const hasOne = pool.idleCount > 0 || pool.totalCount >= max
    const client = hasOne ? connect() : breaker.run(connect)
    if (!callback) return client
    client.then(
      (made) => callback(undefined, made, made.release),
      (error: Error) => callback(error, undefined, () => {}),
    )
    return undefined
  }
  pool.connect = guarded as typeof pool.connect
}
