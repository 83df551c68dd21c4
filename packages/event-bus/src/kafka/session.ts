import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { Consumer, EachBatchPayload, IHeaders, KafkaMessage } from 'kafkajs'
import type { GroupConnection, GroupEvents } from '../shared/connection.ts'
import { SESSION_MS } from '../shared/consumer.ts'
import { within } from '../shared/within.ts'
import type { IncomingRecord } from '../types.ts'
import { type KafkaSettings, kafkaClient, rootCause } from './client.ts'

/** Members learn with their next heartbeat that one is gone: this is part of how long its partitions are without anyone. */
const HEARTBEAT_MS = 500
const REBALANCE_MS = 10_000
const MAX_WAIT_MS = 250
const CLOSE_MS = 5_000
/** A topic that is still missing after so long is a mistake, not a start in progress. */
const MISSING_TOPIC_MS = 10_000

export interface SessionOptions {
  readonly settings: KafkaSettings
  readonly group: string
  readonly topics: readonly string[]
  readonly scheduler: Scheduler
  readonly random: () => number
}

/** Keeps a kafkajs consumer going: connects, joins, and after a crash or a stall starts over with a fresh one. */
export function kafkaSession(options: SessionOptions, events: GroupEvents): GroupConnection {
  const { settings, group, scheduler } = options
  const stop = new AbortController()
  let current: { consumer: Consumer } | undefined
  /** Our name in the group, kept over restarts. */
  let memberId: string | null = null
  let lastTurn = scheduler.now()
  let failed: ((error: unknown) => void) | undefined

  function turned(): void {
    lastTurn = scheduler.now()
  }

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
      allowAutoTopicCreation: false,
      // It is this function's caller that starts over, with a new consumer.
      retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    })
    const mine = { consumer }
    current = mine
    const over = new Promise<unknown>((resolve) => {
      failed = resolve
    })
    const names = consumer.events
    consumer.on(names.REQUEST_TIMEOUT, client.cut)
    consumer.on(names.FETCH, turned)
    consumer.on(names.HEARTBEAT, () => {
      if (current === mine) events.heartbeat()
    })
    consumer.on(names.CRASH, ({ payload }) => {
      if (current === mine) failed?.(payload.error)
    })
    consumer.on(names.GROUP_JOIN, ({ payload }) => {
      if (current !== mine) return
      turned()
      memberId = payload.memberId
      events.fault(undefined)
      const assigned = Object.entries(payload.memberAssignment)
      consumer.pause(assigned.map(([topic, partitions]) => ({ topic, partitions })))
      events.joined(payload.memberAssignment)
    })
    consumer.on(names.END_BATCH_PROCESS, ({ payload }) => {
      // Control records only: kafkajs passes them by itself.
      if (current !== mine || payload.batchSize > 0 || payload.lastOffset === null) return
      const { topic, partition, lastOffset, highWatermark } = payload
      events.fetched({
        topic,
        partition,
        records: [],
        next: BigInt(lastOffset) + 1n,
        end: BigInt(highWatermark),
      })
    })
    let joining: Promise<void> | undefined
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [...options.topics], fromBeginning: true })
      joining = consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        memberId,
        beforeJoin: async () => {
          if (current === mine) await events.beforeJoin()
        },
        eachBatch: async (payload) => {
          if (current === mine) passOn(payload)
        },
      })
      // Waiting for others to join can take long; closing does not wait for that.
      await Promise.race([joining, over])
      return await over
    } catch (error) {
      return error
    } finally {
      current = undefined
      events.lost()
      const leaving = consumer.stop()
      await within(scheduler, CLOSE_MS, 'leaving the group', Promise.all([joining, leaving])).catch(() => {})
      await client.end(consumer.disconnect(), CLOSE_MS)
    }
  }

  function passOn({ batch, resolveOffset, isStale, pause: pausePartition }: EachBatchPayload): void {
    if (isStale()) return
    const { topic, partition } = batch
    const last = batch.lastOffset()
    const verdict = events.fetched({
      topic,
      partition,
      records: batch.messages.map((message) => recordOf(topic, partition, message)),
      next: BigInt(last) + 1n,
      end: BigInt(batch.highWatermark),
    })
    if (verdict !== 'refused') resolveOffset(last)
    if (verdict === 'full') pausePartition()
  }

  async function run(): Promise<void> {
    const startedAt = scheduler.now()
    for (let attempt = 0; !stop.signal.aborted; attempt++) {
      const begunAt = scheduler.now()
      turned()
      const error = await runOnce()
      if (stop.signal.aborted) return
      const missing = isMissingTopic(error) && scheduler.now() - startedAt < MISSING_TOPIC_MS
      if (!missing && !canHeal(error)) return events.fatal(reasonOf(error, options.topics))
      events.fault(error)
      if (scheduler.now() - begunAt > 30_000) attempt = 0
      await pause(scheduler, backoffMs(attempt, 100, 1_000, options.random), stop.signal)
    }
  }

  /** Nothing is fetched between a crash and the next join, and at that all of this is set anew. */
  function whileRunning(change: (consumer: Consumer) => void): void {
    try {
      if (current) change(current.consumer)
    } catch (error) {
      settings.log.debug({ group, error: String(error) }, 'not running')
    }
  }

  const ended = run()

  return {
    get lastTurn() {
      return lastTurn
    },
    fetchFrom: ({ topic, partition, offset }) =>
      whileRunning((consumer) => consumer.seek({ topic, partition, offset: String(offset) })),
    pause: (topic, partition) =>
      whileRunning((consumer) => consumer.pause([{ topic, partitions: [partition] }])),
    resume: (topic, partition) =>
      whileRunning((consumer) => consumer.resume([{ topic, partitions: [partition] }])),
    async commit(positions) {
      if (!current) throw new Error('not a member at the moment')
      await current.consumer.commitOffsets(positions.map((at) => ({ ...at, offset: String(at.offset) })))
    },
    restart(reason) {
      failed?.(new Stalled(reason))
    },
    async close() {
      stop.abort()
      failed?.(new Stalled('closing'))
      await within(scheduler, 2 * CLOSE_MS, 'leaving the group', ended).catch(() => {})
    },
  }
}

function recordOf(topic: string, partition: number, message: KafkaMessage): IncomingRecord {
  return {
    topic,
    partition,
    offset: message.offset,
    key: message.key === null ? '' : message.key.toString(),
    value: message.value ?? NO_BYTES,
    headers: textHeaders(message.headers ?? {}),
    timestamp: Number(message.timestamp),
  }
}

/** Headers as they are where each is one text (the patch of kafkajs decodes them so); of several of a name, the last. */
function textHeaders(headers: IHeaders): Readonly<Record<string, string>> {
  if (isText(headers)) return headers
  const texts: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined && last !== null) texts[name] = String(last)
  }
  return texts
}

function isText(headers: IHeaders): headers is Record<string, string> {
  for (const name in headers) if (typeof headers[name] !== 'string') return false
  return true
}

const NO_BYTES = Buffer.alloc(0)

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
