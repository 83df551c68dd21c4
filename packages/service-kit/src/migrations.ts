import { fileURLToPath } from 'node:url'

export interface Migrations {
  /** Folder of the plain SQL files, named as postgrator wants them: `001.do.what-it-does.sql`. */
  readonly folder: URL
  /** Where it is noted which of them were done. */
  readonly table: string
  /** Any number, the same for every process that does these. */
  readonly lock: number
  /** Schema to make before, where it is not the usual one. */
  readonly schema?: string
}

const WRONG_PASSWORD = '28P01'

/** The usual way there: volumes of which some were removed and some are of an earlier stack. */
const wrongPassword = (error: Error): Error =>
  new Error(
    `${error.message}: this database was made with another password than the one we were given. If both were made for you, by podman compose, one is older than the other: \`down -v\` forgets both, and the data with them.`,
    { cause: error },
  )

/** Brings a database up to date, all or nothing; processes that start at once wait for one another. */
export async function migrateDatabase(
  { url, ssl }: { readonly url: string; readonly ssl: boolean },
  { folder, table, lock, schema }: Migrations,
): Promise<void> {
  // Only who migrates loads what that takes.
  const [{ default: pg }, { default: Postgrator }] = await Promise.all([import('pg'), import('postgrator')])
  const client = new pg.Client({
    connectionString: url,
    ...(ssl ? { ssl: true } : {}),
    connectionTimeoutMillis: 10_000,
    statement_timeout: 120_000,
  })
  await client.connect().catch((error: Error & { readonly code?: string }) => {
    throw error.code === WRONG_PASSWORD ? wrongPassword(error) : error
  })
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [lock])
    if (schema) await client.query(`CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(schema)}`)
    await new Postgrator({
      migrationPattern: `${fileURLToPath(folder).replaceAll('\\', '/')}*`,
      driver: 'pg',
      schemaTable: table,
      newline: 'LF',
      execQuery: (query) => client.query(query),
    }).migrate()
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}
