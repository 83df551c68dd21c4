import { databaseFields, kafkaSettings, labAllowed, labSettings, serviceSettings } from '@klatsch/service-kit'
import { z } from 'zod'

const database = databaseFields(
  'Postgres, as a URL with user and database; a direct connection or a session pooler.',
)

/** What `migrate.ts` needs. */
export const databaseSettings = z.object(database)

export const configSchema = z
  .object({
    ...serviceSettings,
    ...kafkaSettings,
    ...database,
    ADMIN_USERNAME: z
      .string()
      .optional()
      .describe('Whoever registers an account with this name becomes an administrator.'),
    PASSWORDS_PER_MINUTE: z.coerce
      .number()
      .int()
      .positive()
      .default(600)
      .describe('How often in a minute one address may register or try a password; also its burst.'),
    GUESTS_PER_MINUTE: z.coerce
      .number()
      .int()
      .positive()
      .default(6_000)
      .describe('How often in a minute one address may enter as a guest or refresh a token; also its burst.'),
    ...labSettings,
  })
  .superRefine(labAllowed)
