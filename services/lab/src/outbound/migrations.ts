import { fileURLToPath } from 'node:url'
import pg from 'pg'
import Postgrator from 'postgrator'

/** Any number; the same for every process that migrates this schema. */
const LOCK = 7_305_119

/** Brings the schema `lab` up to date, all or nothing; processes that start at once wait for one another. */
export async function migrate(url: string, ssl: boolean): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    ...(ssl ? { ssl: true } : {}),
    connectionTimeoutMillis: 10_000,
    statement_timeout: 120_000,
  })
  await client.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
    await client.query('CREATE SCHEMA IF NOT EXISTS lab')
    await new Postgrator({
      migrationPattern: fileURLToPath(new URL('../../migrations/*', import.meta.url)).replaceAll('\\', '/'),
      driver: 'pg',
      schemaTable: 'lab.schema_version',
      newline: 'LF',
      execQuery: (query) => client.query(query),
    }).migrate()
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}
