import { readConfig } from '@klatsch/service-kit'
import { databaseSettings } from './config.ts'
import { globalRoomRequest, makeGlobalRoom } from './domain/global-room.ts'
import { migrate } from './outbound/migrations.ts'
import { postgresPool } from './outbound/postgres.ts'
import { newSalt } from './outbound/salt.ts'
import { postgresStore } from './outbound/store.ts'

/** Brings the database to where this version of chat needs it: the schema, and the room that everyone is in. */
async function main(): Promise<void> {
  const config = readConfig(databaseSettings, process.env)
  await migrate(config.DATABASE_URL, config.DATABASE_SSL)
  const pool = postgresPool({
    url: config.DATABASE_URL,
    ssl: config.DATABASE_SSL,
    hot: true,
    max: 1,
    onIdleError: () => {},
  })
  const store = postgresStore(pool)
  await store.transact(globalRoomRequest, (loaded) => makeGlobalRoom(loaded, Date.now(), newSalt))
  await pool.end()
}

try {
  await main()
} catch (error) {
  // Whoever started this wants to know why, and not where in the code.
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
