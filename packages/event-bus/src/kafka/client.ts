import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { systemScheduler } from '@klatsch/streams'
import {
  type ISocketFactoryArgs,
  Kafka,
  type KafkaConfig,
  type LogEntry,
  logLevel,
  type SASLOptions,
} from 'kafkajs'
import { within } from '../shared/within.ts'
import type { Log } from '../types.ts'

/** What is needed to reach a Kafka cluster. `brokers`: `host:port`, any of the cluster's. */
export interface KafkaSettings {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly ssl?: boolean | ConnectionOptions
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
  readonly log: Log
}

/** Milliseconds after which an unanswered request counts as failed. */
export const REQUEST_TIMEOUT_MS = 10_000

export interface KafkaClient {
  readonly kafka: Kafka
  /** Ends every connection at once; what was not sent yet never arrives. The client connects again when used. */
  cut(): void
  /** Lets go of what `disconnect` left behind. */
  end(disconnect: Promise<void>, ms: number): Promise<void>
}

/**
 * A kafkajs client that owns its sockets. kafkajs goes on using a connection whose requests time out;
 * `cut` is for whoever notices. What is changed in kafkajs itself, and why, is in patches/README.md.
 */
export function kafkaClient(settings: KafkaSettings): KafkaClient {
  const sockets = new Set<Socket>()
  let ended = false
  const config: KafkaConfig = {
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: 3_000,
    authenticationTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 3 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => passLog(settings.log, entry),
    socketFactory: ({ host, port, ssl, onConnect }: ISocketFactoryArgs) => {
      const socket = ssl
        ? connectTls({ host, port, servername: host, ...ssl }, onConnect)
        : connectTcp({ host, port }, onConnect)
      socket.setNoDelay(true)
      socket.setKeepAlive(true, 30_000)
      // What kafkajs begins after its end must come to nothing.
      if (ended) socket.destroy(new Error('ended'))
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  }
  if (settings.ssl) config.ssl = settings.ssl
  if (settings.sasl) config.sasl = settings.sasl as SASLOptions
  return {
    kafka: new Kafka(config),
    cut() {
      for (const socket of sockets) socket.destroy(new Error('cut'))
    },
    async end(disconnect, ms) {
      ended = true
      await within(systemScheduler, ms, 'disconnecting', disconnect).catch(() => {})
      for (const socket of sockets) socket.destroy()
    },
  }
}

/**
 * kafkajs calls every passing fault an error, and there are many while a broker is away. Its words go to debug; what
 * matters is said by this package, once, and is in the states of consumers and the rejections of publishers.
 */
function passLog(log: Log, { namespace, log: entry }: LogEntry): void {
  const { message, broker, groupId, error, retryCount } = entry
  const fields = { part: `kafkajs ${namespace}`, broker, groupId, error: errorText(error), retryCount }
  log.debug(fields, message)
}

function errorText(error: unknown): string | undefined {
  if (error === undefined) return undefined
  return error instanceof Error ? error.message : String(error)
}

/** The innermost cause of an error, where kafkajs keeps the broker's own. */
export function rootCause(error: unknown): {
  name: string
  message: string
  type?: string
  retriable?: boolean
} {
  let at = error
  while (at instanceof Error && at.cause instanceof Error) at = at.cause
  return at instanceof Error ? at : new Error(String(at))
}
