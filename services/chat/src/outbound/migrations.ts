import { migrateDatabase } from '@klatsch/service-kit'

/** Brings the schema up to date, all or nothing; processes that start at once wait for one another. */
export const migrate = (url: string, ssl: boolean): Promise<void> =>
  migrateDatabase(
    { url, ssl },
    { folder: new URL('../../migrations/', import.meta.url), table: 'chat_schema_version', lock: 7_305_118 },
  )
