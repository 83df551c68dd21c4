import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { globalRoomRequest, makeGlobalRoom } from '../src/domain/global-room.ts'
import { migrate } from '../src/outbound/migrations.ts'
import { type PostgresOptions, postgresPool } from '../src/outbound/postgres.ts'
import { newSalt } from '../src/outbound/salt.ts'
import { postgresStore } from '../src/outbound/store.ts'

export interface TestDatabase {
  readonly url: string
  /** A pool of its own, closed at the end. */
  pool(over?: Partial<PostgresOptions>): pg.Pool
  /** Closes the pools and removes the database. */
  end(): Promise<void>
}

async function admin(sql: string): Promise<void> {
  const client = new pg.Client({
    connectionString: process.env.DATABASE_URL,
    connectionTimeoutMillis: 10_000,
  })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** A database of its own on the server that DATABASE_URL names, migrated, with the global room. */
export async function testDatabase(): Promise<TestDatabase> {
  const name = `chat_${randomUUID().replaceAll('-', '')}`
  await admin(`CREATE DATABASE ${name}`)
  const url = new URL(process.env.DATABASE_URL ?? '')
  url.pathname = `/${name}`
  const pools: pg.Pool[] = []
  const pool = (over: Partial<PostgresOptions> = {}) => {
    const made = postgresPool({
      url: url.href,
      ssl: false,
      hot: true,
      max: 4,
      onIdleError: () => {},
      ...over,
    })
    pools.push(made)
    return made
  }
  await migrate(url.href, false)
  await postgresStore(pool()).transact(globalRoomRequest, (loaded) => makeGlobalRoom(loaded, 0, newSalt))
  return {
    url: url.href,
    pool,
    async end() {
      await Promise.all(pools.map((one) => one.end()))
      await admin(`DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}
