import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { Consumer, EachBatchPayload } from 'kafkajs'
import { type KafkaSettings, kafkaClient, rootCause, within } from './client.ts'

export const SESSION_MS = 6_000
const HEARTBEAT_MS = 1_000
const REBALANCE_MS = 10_000
const MAX_WAIT_MS = 250
const CLOSE_MS = 5_000
/** A topic that is still missing after so long is a mistake, not a start in progress. */
const MISSING_TOPIC_MS = 30_000

export interface SessionPorts {
  readonly settings: KafkaSettings
  readonly group: string
  readonly topics: readonly string[]
  readonly scheduler: Scheduler
  readonly random: () => number
  beforeJoin(): Promise<void>
  /** Called before anything is fetched under the new assignment. */
  joined(consumer: Consumer, assignment: Readonly<Record<string, readonly number[]>>): void
  batch(payload: EachBatchPayload): void
  /** Everything before `next` is fetched, though there were no records in it (control records). */
  skipped(topic: string, partition: number, next: bigint): void
  heartbeat(): void
  /** A passing fault of the connection, or its end. */
  fault(error: unknown | undefined): void
  /** It cannot go on. */
  fatal(reason: string): void
}

/** Keeps a kafkajs consumer going: connects, joins, and after a crash or a stall starts over with a fresh one. */
export interface Session {
  readonly consumer: Consumer | undefined
  /** When the fetch loop last turned, in scheduler time. */
  readonly lastTurn: number
  restart(reason: string): void
  close(): Promise<void>
}

export function kafkaSession(ports: SessionPorts): Session {
  const { settings, group, scheduler } = ports
  const stop = new AbortController()
  let current: { consumer: Consumer } | undefined
  let lastTurn = scheduler.now()
  let failed: ((error: unknown) => void) | undefined

  /** Runs one kafkajs consumer; resolves with why it ended. */
  async function runOnce(): Promise<unknown> {
    const client = kafkaClient(settings)
    const consumer = client.kafka.consumer({
      groupId: group,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: REBALANCE_MS,
      maxWaitTimeInMs: MAX_WAIT_MS,
      minBytes: 1,
      maxBytesPerPartition: 1_048_576,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    })
    const mine = { consumer }
    current = mine
    const over = new Promise<unknown>((resolve) => {
      failed = resolve
    })
    const { events } = consumer
    const ifCurrent = (react: () => void) => () => {
      if (current === mine) react()
    }
    consumer.on(events.REQUEST_TIMEOUT, client.cut)
    consumer.on(
      events.FETCH,
      ifCurrent(() => turned()),
    )
    consumer.on(
      events.HEARTBEAT,
      ifCurrent(() => ports.heartbeat()),
    )
    consumer.on(events.CRASH, ({ payload }) => ifCurrent(() => failed?.(payload.error))())
    consumer.on(events.GROUP_JOIN, ({ payload }) =>
      ifCurrent(() => {
        turned()
        ports.fault(undefined)
        ports.heartbeat()
        ports.joined(consumer, payload.memberAssignment)
      })(),
    )
    consumer.on(events.END_BATCH_PROCESS, ({ payload }) => {
      if (current === mine && payload.batchSize === 0 && payload.lastOffset !== null) {
        ports.skipped(payload.topic, payload.partition, BigInt(payload.lastOffset) + 1n)
      }
    })
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [...ports.topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        beforeJoin: async () => {
          if (current === mine) await ports.beforeJoin()
        },
        eachBatch: async (payload) => {
          if (current === mine) ports.batch(payload)
        },
      })
      return await over
    } catch (error) {
      return error
    } finally {
      if (current === mine) current = undefined
      await client.end(consumer.disconnect(), CLOSE_MS)
    }
  }

  function turned(): void {
    lastTurn = scheduler.now()
  }

  async function run(): Promise<void> {
    const startedAt = scheduler.now()
    for (let attempt = 0; !stop.signal.aborted; attempt++) {
      const begunAt = scheduler.now()
      turned()
      const error = await runOnce()
      if (stop.signal.aborted) return
      const missing = isMissingTopic(error) && scheduler.now() - startedAt < MISSING_TOPIC_MS
      if (!missing && !canHeal(error)) return ports.fatal(reasonOf(error, ports.topics))
      ports.fault(error)
      if (scheduler.now() - begunAt > 30_000) attempt = 0
      await pause(scheduler, backoffMs(attempt, 100, 3_000, ports.random), stop.signal)
    }
  }

  const ended = run()

  return {
    get consumer() {
      return current?.consumer
    },
    get lastTurn() {
      return lastTurn
    },
    restart(reason) {
      failed?.(new Stalled(reason))
    },
    async close() {
      stop.abort()
      failed?.(new Stalled('closing'))
      await within(2 * CLOSE_MS, 'closing the consumer', ended).catch(() => {})
    },
  }
}

class Stalled extends Error {
  override readonly name = 'Stalled'
}

const isMissingTopic = (error: unknown): boolean => rootCause(error).type === 'UNKNOWN_TOPIC_OR_PARTITION'

function canHeal(error: unknown): boolean {
  const cause = rootCause(error)
  if (cause.type === 'OFFSET_OUT_OF_RANGE' || isMissingTopic(error)) return false
  return cause instanceof Stalled || cause.retriable === true || LOST_TOUCH.has(cause.name)
}

/** What kafkajs will not retry although it only says that brokers come and go. */
const LOST_TOUCH = new Set([
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSBrokerNotFound',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSLockTimeout',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
])

function reasonOf(error: unknown, topics: readonly string[]): string {
  if (isMissingTopic(error)) return `one of the topics ${topics.join(', ')} does not exist`
  const where = error as { topic?: string; partition?: number }
  const cause = rootCause(error) as { topic?: string; partition?: number; message: string; name: string }
  const topic = where.topic ?? cause.topic
  const place = topic === undefined ? '' : ` (${topic}[${where.partition ?? cause.partition}])`
  return `${cause.name}: ${cause.message}${place}`
}
