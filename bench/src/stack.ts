import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  freePorts,
  nodeFlags,
  type RunningKafka,
  type RunningPostgres,
  startKafka,
  startPostgres,
} from '@klatsch/local-stack'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import pg from 'pg'
import { type BenchProcess, startProcess } from './processes.ts'

export interface Service {
  readonly process: BenchProcess
  readonly port: number
  readonly url: string
  /** Milliseconds from its start until it said that it is ready; rejects when it does not. */
  readonly ready: Promise<number>
}

export interface ServiceOptions {
  readonly core?: number
  /** Where it listens; a free port when absent. */
  readonly port?: number
  /** As if there were no fault points in it. */
  readonly withoutFaults?: boolean
  readonly profileDir?: string | undefined
}

/** A Kafka and a Postgres of the bench's own, with the topics and tables of Klatsch, and its services on demand. */
export interface Stack {
  readonly kafka: RunningKafka
  readonly postgres: RunningPostgres
  readonly databaseUrl: string
  readonly sql: pg.Client
  readonly producer: Producer
  readonly dir: string
  /** Starts it and does not wait until it is ready. */
  launchChat(options?: ServiceOptions): Promise<Service>
  startChat(options?: ServiceOptions): Promise<Service>
  startGateway(chat: Service, options?: ServiceOptions): Promise<Service>
  close(): Promise<void>
}

const withoutFaults = new URL('./stubs/without-faults.ts', import.meta.url)
const READY_MS = 30_000
const scripts = {
  chat: new URL('../../services/chat/src/main.ts', import.meta.url),
  gateway: new URL('../../services/gateway/src/main.ts', import.meta.url),
  migrate: new URL('../../services/chat/src/migrate.ts', import.meta.url),
  createTopics: new URL('../../packages/event-bus/src/create-topics.ts', import.meta.url),
}

export async function startStack(dir: string, say: (sentence: string) => void): Promise<Stack> {
  mkdirSync(dir, { recursive: true })
  const parts = await Promise.allSettled([
    startKafka({ dir: join(dir, 'kafka'), say }),
    startPostgres({ dir: join(dir, 'postgres'), say }),
  ])
  const [startedKafka, startedPostgres] = parts
  if (startedKafka.status === 'rejected' || startedPostgres.status === 'rejected') {
    for (const part of parts) if (part.status === 'fulfilled') await part.value.stop()
    throw parts.find((part) => part.status === 'rejected')?.reason
  }
  const kafka = startedKafka.value
  const postgres = startedPostgres.value
  const databaseUrl = await postgres.database('klatsch')
  const shared = {
    HOST: '127.0.0.1',
    KAFKA_BROKERS: kafka.brokers,
    DATABASE_URL: databaseUrl,
    INTERNAL_TOKEN: randomBytes(24).toString('base64url'),
    LOG_LEVEL: 'warn',
  }
  const sql = new pg.Client(databaseUrl)
  await sql.connect()
  const client = new Kafka({ brokers: [kafka.brokers], clientId: 'bench', logLevel: logLevel.ERROR })
  const producer = client.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  await startProcess(scripts.migrate, { name: 'migrate', dir, env: shared }).finished()
  await startProcess(scripts.createTopics, { name: 'create-topics', dir, env: shared }).finished()

  async function launch(
    name: 'chat' | 'gateway',
    env: NodeJS.ProcessEnv,
    options: ServiceOptions = {},
  ): Promise<Service> {
    const [free, opsPort] = (await freePorts(2)) as [number, number]
    const port = options.port ?? free
    const url = `http://127.0.0.1:${port}`
    const begin = performance.now()
    const process = startProcess(scripts[name], {
      name,
      dir,
      flags: nodeFlags(name),
      // With a port of its own for those who look after it, it does not listen before it is ready: as in the local stack.
      env: { ...shared, ...env, PORT: String(port), OPS_PORT: String(opsPort) },
      ...(options.withoutFaults && { imports: [withoutFaults] }),
      ...options,
    })
    const ready = untilReady(process, url).then(() => performance.now() - begin)
    ready.catch(() => {})
    return { process, port, url, ready }
  }
  async function start(...args: Parameters<typeof launch>): Promise<Service> {
    const service = await launch(...args)
    await service.ready
    return service
  }

  return {
    kafka,
    postgres,
    databaseUrl,
    sql,
    producer,
    dir,
    launchChat: (options) => launch('chat', {}, options),
    startChat: (options) => start('chat', {}, options),
    startGateway: (chat, options) => start('gateway', { CHAT_URL: chat.url }, options),
    async close() {
      await producer.disconnect()
      await sql.end()
      await Promise.all([kafka.stop(), postgres.stop()])
    },
  }
}

async function untilReady(process: BenchProcess, url: string): Promise<void> {
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline) {
    const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ready) return
    process.assertRunning()
    await sleep(5)
  }
  throw new Error(`${url} was not ready within ${READY_MS / 1_000} s`)
}
