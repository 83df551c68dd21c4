import { randomBytes } from 'node:crypto'
import type { PlannedNetwork } from './network/network.ts'

/** The environment of the services: the user's own, and what the stack decides. */
export interface StackEnv {
  /** For a script or service that talks to Kafka. */
  readonly kafka: NodeJS.ProcessEnv
  readonly database: NodeJS.ProcessEnv
  readonly chat: NodeJS.ProcessEnv
  readonly gateway: NodeJS.ProcessEnv
  readonly presence: NodeJS.ProcessEnv
  readonly lab: NodeJS.ProcessEnv
}

/** How to reach a server of ours: none of what the environment says about reaching others. */
const plainKafka = {
  KAFKA_SSL: 'false',
  KAFKA_SASL_MECHANISM: undefined,
  KAFKA_SASL_USERNAME: undefined,
  KAFKA_SASL_PASSWORD: undefined,
  KAFKA_REPLICATION: '1',
}
const plainPostgres = { DATABASE_SSL: 'false', PGSSLMODE: undefined, PGOPTIONS: undefined }

export function stackEnv(
  env: NodeJS.ProcessEnv,
  stack: {
    readonly brokers: string
    readonly databaseUrl: string
    readonly chatPort: number
    readonly presencePort: number
    readonly labPort: number
    readonly port: number
    readonly pageDir: string
    readonly admin: string
    /** Whether the services share their ports with their successors. */
    readonly share: boolean
    /** Where the services call the servers, if not at the servers' own ports. */
    readonly via?: PlannedNetwork['via']
    /** By what the laboratory runs drills. */
    readonly drills?: { readonly DRILL_MAIN: string; readonly DRILL_DATA_DIR: string }
  },
): StackEnv {
  const shared = {
    ...env,
    INTERNAL_TOKEN: env.INTERNAL_TOKEN || randomBytes(24).toString('base64url'),
    // A stack of one's own is there to be taken apart.
    LAB_ENABLED: env.LAB_ENABLED || 'true',
  }
  const ports = { REUSE_PORT: String(stack.share) }
  const toKafka = { ...(env.KAFKA_BROKERS ? {} : plainKafka), KAFKA_BROKERS: stack.brokers }
  const toPostgres = { ...(env.DATABASE_URL ? {} : plainPostgres), DATABASE_URL: stack.databaseUrl }
  const kafkaOf = (service: string) => {
    const port = stack.via?.('kafka', service)
    return port === undefined ? toKafka : { ...toKafka, KAFKA_BROKERS: `127.0.0.1:${port}` }
  }
  const postgresOf = (service: string) => {
    const port = stack.via?.('postgres', service)
    return port === undefined ? toPostgres : { ...toPostgres, DATABASE_URL: atPort(stack.databaseUrl, port) }
  }
  return {
    kafka: { ...shared, ...toKafka },
    database: { ...shared, ...toPostgres },
    chat: {
      ...shared,
      ...ports,
      ...kafkaOf('chat'),
      ...postgresOf('chat'),
      HOST: '127.0.0.1',
      PORT: String(stack.chatPort),
      ADMIN_USERNAME: stack.admin,
    },
    // The gateway alone is public, and has no business with the database.
    gateway: {
      ...shared,
      ...ports,
      ...kafkaOf('gateway'),
      DATABASE_URL: undefined,
      // Each process and each successor has a name of its own.
      GATEWAY_INSTANCE: undefined,
      PORT: String(stack.port),
      CHAT_URL: `http://127.0.0.1:${stack.chatPort}`,
      LAB_URL: `http://127.0.0.1:${stack.labPort}`,
      PAGE_DIR: stack.pageDir,
    },
    presence: {
      ...shared,
      ...ports,
      ...kafkaOf('presence'),
      DATABASE_URL: undefined,
      HOST: '127.0.0.1',
      PORT: String(stack.presencePort),
    },
    lab: {
      ...shared,
      ...ports,
      ...kafkaOf('lab'),
      ...postgresOf('lab'),
      HOST: '127.0.0.1',
      PORT: String(stack.labPort),
      CHAT_URL: `http://127.0.0.1:${stack.chatPort}`,
      ...stack.drills,
    },
  }
}

function atPort(databaseUrl: string, port: number): string {
  // For what talks to Kafka alone, it is not known yet.
  if (databaseUrl === '') return ''
  const url = new URL(databaseUrl)
  url.port = String(port)
  return url.href
}
