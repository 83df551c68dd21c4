import { readConfig } from '@klatsch/service-kit'
import { databaseSettings } from './config.ts'
import { migrate } from './outbound/migrations.ts'

// Brings the laboratory's own schema to where this version needs it.
try {
  const { DATABASE_URL: url, DATABASE_SSL: ssl } = readConfig(databaseSettings, process.env)
  await migrate(url, ssl)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
