import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { configSchema } from './config.ts'
import { projectRoot } from './paths.ts'
import { Problem } from './problem.ts'

export interface Settings {
  /** The one public port. */
  readonly port: number
  /** The address that port is bound to. */
  readonly host: string
  readonly dataDir: string
  readonly gateways: number
  readonly reset: boolean
  readonly help: boolean
}

export const HELP = `Klatsch: a chat on a Kafka log, with a Kafka and a Postgres of its own.

  npm start                 start everything, and say where to click; Ctrl-C stops it
  npm start -- --reset      first delete what is in the data folder: all messages and accounts
  npm start -- --help       this text

Environment:
  PORT=8080                 the one public port
  HOST=127.0.0.1            the address it is bound to; 0.0.0.0 lets other machines in
  GATEWAYS=1                gateway processes, which share that port (Linux)
  KLATSCH_DATA_DIR=.klatsch where messages, accounts and logs are kept
  KAFKA_BROKERS=host:port   use this Kafka and start none (KAFKA_SSL, KAFKA_SASL_MECHANISM,
                            KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_REPLICATION)
  DATABASE_URL=postgres://… use this Postgres and start none (DATABASE_SSL)
  ADMIN_USERNAME=ada        whoever registers this name is an administrator
  LAB_ENABLED=true          false leaves the laboratory out

Every setting of the services, which are passed on to them: docs/CONFIG.md`

/** What was asked for on the command line and by the environment. @throws Problem */
export function readSettings(args: readonly string[], env: NodeJS.ProcessEnv): Settings {
  const { reset = false, help = false } = flags(args)
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = configSchema.safeParse(given)
  if (!parsed.success) {
    const names = parsed.error.issues.map(({ path: [name], message }) => {
      // An address has a password in it.
      const value = name === 'DATABASE_URL' ? '' : `=${env[String(name)]}`
      return `${String(name)}${value} (${message})`
    })
    throw new Problem(`A setting is wrong: ${names.join(', ')}. "npm start -- --help" lists what there is.`)
  }
  const { PORT: port, HOST: host, KLATSCH_DATA_DIR: dataDir, GATEWAYS: gateways } = parsed.data
  return { port, host, gateways, dataDir: resolve(projectRoot, dataDir), reset, help }
}

function flags(args: readonly string[]): { reset?: boolean; help?: boolean } {
  try {
    const options = { reset: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
    return parseArgs({ args: [...args], options, allowPositionals: false }).values
  } catch (error) {
    throw new Problem(`${(error as Error).message.split('.')[0]}. "npm start -- --help" lists what there is.`)
  }
}
