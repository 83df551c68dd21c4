import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { labPool } from '../src/outbound/database.ts'
import { migrate } from '../src/outbound/migrations.ts'

export interface TestDatabase {
  readonly name: string
  readonly pool: pg.Pool
  /** Runs something as an administrator of the server. */
  admin(sql: string): Promise<void>
  /** Closes the pool and removes the database. */
  end(): Promise<void>
}

/** A database of its own on the server that DATABASE_URL names, with the schema `lab`. */
export async function testDatabase(): Promise<TestDatabase> {
  const name = `lab_${randomUUID().replaceAll('-', '')}`
  const admin = async (sql: string) => {
    const connectionString = process.env.DATABASE_URL
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 })
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }
  await admin(`CREATE DATABASE ${name}`)
  const url = new URL(process.env.DATABASE_URL ?? '')
  url.pathname = `/${name}`
  await migrate(url.href, false)
  const pool = labPool({ url: url.href, ssl: false, onIdleError: () => {}, max: 12 })
  return {
    name,
    pool,
    admin,
    async end() {
      await pool.end()
      await admin(`DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}
