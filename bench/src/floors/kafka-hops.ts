// The floor of latency: a message there over Kafka, one Postgres commit, and back over Kafka; nothing else.
// Two processes, as gateway and chat are: one is told to be the edge, the other to be the decider.
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs'
import pg from 'pg'
import { serveCalls } from '../calls.ts'

export const hopTopics = { there: 'bench.there', back: 'bench.back' } as const

interface Where {
  readonly brokers: string
  readonly databaseUrl: string
  /** Makes the group a fresh one. */
  readonly run: string
  /** Length of the event that goes back, in bytes. */
  readonly eventBytes: number
}

const kafkaAt = (brokers: string) =>
  new Kafka({ brokers: brokers.split(','), clientId: 'bench-floor', logLevel: logLevel.ERROR })

/** One send in flight; what comes meanwhile goes together with the next. */
function collecting(producer: Producer, topic: string): (message: Message) => Promise<void> {
  let waiting: Message[] = []
  let sending: Promise<void> | undefined
  async function sendNext(): Promise<void> {
    const messages = waiting
    waiting = []
    sending = undefined
    await producer.send({ topic, messages, acks: -1 })
  }
  let last = Promise.resolve()
  return (message) => {
    waiting.push(message)
    sending ??= last = last.then(sendNext)
    return sending
  }
}

async function consumer(
  where: Where,
  topic: string,
  take: (messages: readonly Message[]) => Promise<void> | void,
) {
  const consumer = kafkaAt(where.brokers).consumer({ groupId: `${topic}.${where.run}`, maxWaitTimeInMs: 250 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
  await consumer.run({
    partitionsConsumedConcurrently: 12,
    eachBatch: async ({ batch }) => {
      await take(batch.messages as readonly Message[])
    },
  })
  await joined
}

async function producerOf(where: Where): Promise<Producer> {
  const producer = kafkaAt(where.brokers).producer({ allowAutoTopicCreation: false, idempotent: true })
  await producer.connect()
  return producer
}

let send: (message: Message) => Promise<void> = async () => {}
const sentAt = new Map<string, number>()
let arrived: number[] = []
let countFrom = Number.POSITIVE_INFINITY

const calls = {
  /** Takes messages from `there`, commits each batch's rows, sends them `back`. */
  async decide(where: Where): Promise<void> {
    const pool = new pg.Pool({ connectionString: where.databaseUrl, max: 12 })
    const back = collecting(await producerOf(where), hopTopics.back)
    const event = 'x'.repeat(where.eventBytes)
    await consumer(where, hopTopics.there, async (messages) => {
      await pool.query({
        name: 'insert',
        text: 'INSERT INTO bench_hops (id, bytes) SELECT * FROM unnest($1::text[], $2::text[])',
        values: [messages.map(({ key }) => `${key}`), messages.map(() => event)],
      })
      await Promise.all(
        messages.map(({ key, headers }) => back({ key: key ?? null, value: event, headers: headers ?? {} })),
      )
    })
  },

  /** Gets ready to send and to see come back. */
  async edge(where: Where): Promise<void> {
    const there = collecting(await producerOf(where), hopTopics.there)
    send = (message) => there(message)
    await consumer(where, hopTopics.back, (messages) => {
      const now = performance.now()
      for (const { headers } of messages) {
        const id = String(headers?.id)
        const at = sentAt.get(id)
        sentAt.delete(id)
        if (at !== undefined && at >= countFrom) arrived.push(now - at)
      }
    })
  },

  /** Sends evenly and answers the milliseconds that each message took. */
  async measure(load: {
    perSecond: number
    warmMs: number
    ms: number
    commandBytes: number
  }): Promise<number[]> {
    const value = 'x'.repeat(load.commandBytes)
    arrived = []
    const begin = performance.now()
    countFrom = begin + load.warmMs
    const total = Math.round((load.perSecond * (load.warmMs + load.ms)) / 1_000)
    for (let index = 0; index < total; ) {
      const due = Math.min(total, Math.floor(((performance.now() - begin) * load.perSecond) / 1_000) + 1)
      for (; index < due; index += 1) {
        const id = `${begin}-${index}`
        sentAt.set(id, performance.now())
        void send({ key: `room-${index % 100}`, value, headers: { id } })
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const deadline = performance.now() + 15_000
    while (sentAt.size > 0) {
      if (performance.now() > deadline)
        throw new Error(`${sentAt.size} of ${total} messages did not come back`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return arrived
  },
}
export type KafkaHopsCalls = typeof calls
if (process.send) serveCalls(calls)
