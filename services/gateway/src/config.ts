import {
  flagSetting,
  kafkaSettings,
  labAllowed,
  labSettings,
  listSetting,
  serviceSettings,
} from '@klatsch/service-kit'
import { z } from 'zod'

export const configSchema = z
  .object({
    ...serviceSettings,
    ...kafkaSettings,
    CHAT_URL: z.url().describe('Where the chat service answers over HTTP.'),
    ...labSettings,
    LAB_URL: z
      .url()
      .optional()
      .describe(
        'Where the laboratory answers over HTTP; with LAB_ENABLED, administrators reach it at /api/lab.',
      ),
    GATEWAY_INSTANCE: z
      .string()
      .regex(/^[\w-]{1,64}$/)
      .optional()
      .describe('Name of this instance, unique among those running; made at random when absent.'),
    PAGE_DIR: z.string().optional().describe('Folder of the built page; without it only the API is served.'),
    ALLOWED_ORIGINS: listSetting
      .default([])
      .describe(
        'Origins of other pages that may connect, separated by commas. The page served here always may.',
      ),
    TRUST_PROXY: flagSetting(false).describe(
      'Take the address of a client from X-Forwarded-For: only behind a proxy that sets it.',
    ),
    COMMANDS_PER_SECOND: z.coerce
      .number()
      .int()
      .min(1)
      .default(50)
      .describe('Commands a second that one user may send through one gateway.'),
    COMMAND_BURST: z.coerce
      .number()
      .int()
      .min(1)
      .default(200)
      .describe('Commands that one user may send at once.'),
    DRAIN_MS: z.coerce
      .number()
      .int()
      .min(0)
      .max(600_000)
      .default(15_000)
      .describe(
        'Milliseconds in which sockets are asked to go elsewhere, one after another, when this process is told to stop (SIGTERM). It ends sooner when the last one has gone, and up to as much later as long as others still leave.',
      ),
    RING_MB: z.coerce
      .number()
      .int()
      .min(1)
      .default(64)
      .describe('Memory for the latest events of all streams, in MB, from which most resumes are served.'),
  })
  .superRefine(labAllowed)
export type Config = z.output<typeof configSchema>
