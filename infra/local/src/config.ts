import { z } from 'zod'

/** What `npm start` reads from its environment. Everything else there is handed on to the services. */
export const configSchema = z.object({
  PORT: z.coerce.number().int().min(1).max(65_535).default(8080).describe('The one public port.'),
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address the public port is bound to; `0.0.0.0` lets other machines in.'),
  KLATSCH_DATA_DIR: z
    .string()
    .default('.klatsch')
    .describe('Folder of all data and logs, from the top of the checkout.'),
  KAFKA_BROKERS: z.string().optional().describe('Use this Kafka, and start none.'),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must be postgres://user:password@host:port/database' })
    .optional()
    .describe('Use this Postgres, and start none.'),
  GATEWAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe(
      'Gateway processes; all share the one public port, and any of them can serve anyone. Where the system cannot share a port (it must be Linux), one runs.',
    ),
  ADMIN_USERNAME: z.string().default('ada').describe('Name of the first demo account, an administrator.'),
  XDG_CACHE_HOME: z
    .string()
    .optional()
    .describe('Where downloads are kept, in a folder `klatsch`; by default `~/.cache`.'),
  JAVA_HOME: z
    .string()
    .optional()
    .describe('Where the Java is that runs Kafka; by default the one on the path.'),
})
