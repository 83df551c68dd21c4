import { readFileSync } from 'node:fs'
import { type Bug, bugNames } from '@klatsch/contracts'
import { z } from 'zod'

const flag = z.enum(['true', 'false']).transform((value) => value === 'true')

/** A setting that is `true` or `false`. */
export const flagSetting = (fallback: boolean) => flag.default(fallback)

/** A comma-separated list; empty entries are dropped. */
export const listSetting = z.string().transform((value) =>
  value
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean),
)

/** Settings that every service has. The keys are the names of the environment variables. */
export const serviceSettings = {
  HOST: z.string().default('127.0.0.1').describe('Address to listen on.'),
  PORT: z.coerce.number().int().min(0).max(65_535).describe('Port to listen on; 0 takes a free one.'),
  OPS_PORT: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe(
      'Port on loopback for health and metrics alone. With it, a process that is told to stop lets go of PORT at once, while here it says that it is not ready.',
    ),
  REUSE_PORT: flagSetting(false).describe(
    'Share PORT with other processes of this user that do the same, so that one can take over from another (Linux; Node.js says ENOTSUP where it cannot be).',
  ),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .describe('Least severe level that is logged.'),
  INTERNAL_TOKEN: z
    .string()
    .min(16)
    .describe('Secret by which the services know one another; the same for all of them.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url()
    .optional()
    .describe('Where traces go (OTLP over HTTP); none are sent without it.'),
}

export const kafkaSettings = {
  KAFKA_BROKERS: listSetting.describe('Kafka brokers, host:port, separated by commas.'),
  KAFKA_SSL: flagSetting(false).describe('Connect to Kafka with TLS.'),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .optional()
    .describe('SASL mechanism of Kafka, if it asks for one.'),
  KAFKA_SASL_USERNAME: z.string().optional().describe('SASL user of Kafka.'),
  KAFKA_SASL_PASSWORD: z.string().optional().describe('SASL password of Kafka.'),
}

/** Settings of a process that keeps something in Postgres. `what`: which one it is, in words. */
export const databaseFields = (what: string) => ({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).describe(what),
  DATABASE_SSL: flagSetting(false).describe('Connect to Postgres with TLS.'),
})

/** Settings of everything that the laboratory can reach into. Checked by `labAllowed`. */
export const labSettings = {
  LAB_ENABLED: flagSetting(false).describe(
    'Switches the laboratory on: the log can be looked into, and faults can be brought about, by administrators.',
  ),
  LAB_IN_PRODUCTION: flagSetting(false).describe(
    'Allows LAB_ENABLED where NODE_ENV is "production", as it is in containers.',
  ),
  NODE_ENV: z.string().optional().describe('With `production` the laboratory needs LAB_IN_PRODUCTION, too.'),
  KLATSCH_BUGS: listSetting
    .pipe(z.array(z.enum(bugNames)))
    .transform((names): ReadonlySet<Bug> => new Set(names))
    .prefault('')
    .describe(
      'Deliberate bugs, separated by commas, by the names in docs/BUGS.md; each part has its own. Refused without LAB_ENABLED.',
    ),
}
type LabConfig = z.output<z.ZodObject<typeof labSettings>>

/** Refuses the laboratory where real people may be, unless somebody said in so many words that it may be there. */
export function labAllowed(config: LabConfig, context: z.RefinementCtx): void {
  if (config.KLATSCH_BUGS.size > 0 && !config.LAB_ENABLED) {
    context.addIssue({ code: 'custom', path: ['KLATSCH_BUGS'], message: 'needs LAB_ENABLED=true' })
  }
  if (!config.LAB_ENABLED || config.NODE_ENV !== 'production' || config.LAB_IN_PRODUCTION) return
  context.addIssue({
    code: 'custom',
    path: ['LAB_ENABLED'],
    message:
      'the laboratory can read every message and break every part, so it is refused where NODE_ENV is "production"; LAB_IN_PRODUCTION=true allows it',
  })
}

const kafkaConfigSchema = z.object(kafkaSettings)
type KafkaConfig = z.output<typeof kafkaConfigSchema>

/** How to reach Kafka, as `event-bus` takes it. @throws ConfigError for half a SASL setting. */
export function kafkaConnection(config: KafkaConfig) {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  } = config
  const given = [mechanism, username, password].filter((value) => value !== undefined).length
  if (given !== 0 && given !== 3) {
    throw new ConfigError('KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go together')
  }
  return {
    brokers: config.KAFKA_BROKERS,
    ssl: config.KAFKA_SSL,
    ...(mechanism && username && password ? { sasl: { mechanism, username, password } } : {}),
  }
}

/** Said to the person who started the process; the process ends with exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads settings from the environment. `NAME_FILE` names a file whose content (without the last newline) is the
 * value of `NAME`, as secrets are mounted in containers. An empty value counts as absent.
 * @throws ConfigError naming every wrong setting, never its value.
 */
export function readConfig<S extends z.ZodObject>(schema: S, env: NodeJS.ProcessEnv): z.output<S> {
  const input: Record<string, string> = {}
  for (const name of Object.keys(schema.shape)) {
    const value = env[name]
    const file = env[`${name}_FILE`]
    if (value) input[name] = value
    else if (file) {
      try {
        input[name] = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
      } catch (cause) {
        throw new ConfigError(`${name}_FILE cannot be read: ${(cause as Error).message}`, { cause })
      }
    }
  }
  const parsed = schema.safeParse(input, { reportInput: false })
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0])
    return input[name] === undefined ? `${name} is not set` : `${name}: ${issue.message}`
  })
  throw new ConfigError(`settings are wrong: ${wrong.join('; ')}. See docs/CONFIG.md.`)
}
