import { databaseFields, kafkaSettings, labAllowed, labSettings, serviceSettings } from '@klatsch/service-kit'
import { z } from 'zod'

const database = databaseFields(
  'Postgres, as a URL with user and database; the laboratory keeps its own in the schema `lab`.',
)

/** What `migrate.ts` needs. */
export const databaseSettings = z.object(database)

export const configSchema = z
  .object({
    ...serviceSettings,
    ...kafkaSettings,
    ...database,
    CHAT_URL: z.url().describe('Where the chat service answers over HTTP.'),
    DRILL_MAIN: z
      .string()
      .optional()
      .describe("The command line's main file, by which drills are run; set by `npm start`."),
    DRILL_DATA_DIR: z
      .string()
      .optional()
      .describe('Data folder of the stack against which drills are run; set by `npm start`.'),
    ...labSettings,
  })
  .superRefine(labAllowed)
  .superRefine(({ LAB_ENABLED }, context) => {
    if (LAB_ENABLED) return
    context.addIssue({
      code: 'custom',
      path: ['LAB_ENABLED'],
      message: 'the laboratory is off; LAB_ENABLED=true switches it on',
    })
  })

/** By what drills are run, where they can be. */
export const programOf = ({ DRILL_MAIN: main, DRILL_DATA_DIR: dataDir }: z.output<typeof configSchema>) =>
  main === undefined || dataDir === undefined ? undefined : { main, dataDir }
