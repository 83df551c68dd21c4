import { flagSetting, kafkaSettings, listSetting, serviceSettings } from '@klatsch/service-kit'
import { z } from 'zod'
import { knownBugs } from './bugs.ts'

const database = {
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .describe('Postgres, as a URL with user and database; a direct connection or a session pooler.'),
  DATABASE_SSL: flagSetting(false).describe('Connect to Postgres with TLS.'),
}

/** What `migrate.ts` needs. */
export const databaseSettings = z.object(database)

export const configSchema = z.object({
  ...serviceSettings,
  ...kafkaSettings,
  ...database,
  ADMIN_USERNAME: z
    .string()
    .optional()
    .describe('Whoever registers an account with this name becomes an administrator.'),
  LAB_ENABLED: flagSetting(false).describe(
    'Allows faults and deliberate bugs to be switched on. Never for people.',
  ),
  KLATSCH_BUGS: listSetting
    .pipe(z.array(z.enum(knownBugs)))
    .default([])
    .describe(`Deliberate bugs, separated by commas: ${knownBugs.join(', ')}. Refused without LAB_ENABLED.`),
})
