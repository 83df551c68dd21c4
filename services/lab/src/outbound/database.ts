import { KlatschError } from '@klatsch/contracts'
import pg from 'pg'

/**
 * A few connections for what the laboratory keeps. They open when needed, and again after a fault. A transaction of a process
 * that sleeps is ended by the server, so that nobody waits for its locks for long.
 */
export function labPool(options: {
  readonly url: string
  readonly ssl: boolean
  /** Called for a connection that breaks while nobody uses it. */
  readonly onIdleError: (error: Error) => void
  /** Connections at most (4). */
  readonly max?: number
}): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    ...(options.ssl ? { ssl: true } : {}),
    max: options.max ?? 4,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 10_000,
    lock_timeout: 3_000,
    idle_in_transaction_session_timeout: 5_000,
    query_timeout: 15_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: 'klatsch-lab',
  })
  pool.on('error', options.onIdleError)
  // One that breaks in use fails its queries, and also says so itself: unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** @throws KlatschError `server.unavailable` for whatever the database has against it. */
export async function asking<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new KlatschError('server.unavailable', undefined, { cause, retryAfterMs: 1_000 })
  }
}
