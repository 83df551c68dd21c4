import { KlatschError } from '@klatsch/contracts'
import { systemScheduler } from '@klatsch/streams'
import type { Producer, TopicMessages } from 'kafkajs'
import { type Message, type Partitioner, SendFault, type Transport } from '../shared/transport.ts'
import { within } from '../shared/within.ts'
import type { AdminHandle } from './admin.ts'
import { type KafkaSettings, kafkaClient, REQUEST_TIMEOUT_MS, rootCause } from './client.ts'

/** The broker says the record itself is wrong. */
const RECORD_FAULTS = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
])
/** The broker's and the producer's view of the sequence differ: no retry under this producer id can succeed. */
const IDENTITY_FAULTS = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
  'PRODUCER_FENCED',
  'CLUSTER_AUTHORIZATION_FAILED',
])
const MISSING_TOPIC_TRIES = 3
/** Attempts, with the publisher's backoff between them, after which a topic that was there counts as deleted. */
const DELETED_TOPIC_TRIES = 20

interface Identity {
  readonly producer: Producer
  end(): Promise<void>
  cut(): void
}

/**
 * Sends with an idempotent producer, acks from all in-sync replicas, one attempt a call: repeated with the very same
 * batch, the broker drops what it has already, by producer id and sequence. That holds as long as only
 * one send is in flight, which is the caller's part.
 */
export function kafkaTransport(settings: KafkaSettings, admin: AdminHandle, choose: Partitioner): Transport {
  let identity: Identity | undefined
  let missingTopic = 0
  let closed = false

  async function connect(): Promise<Identity> {
    const made = await connectProducer(settings, choose)
    if (!closed) return made
    await made.end()
    throw new SendFault('passing', 'the publisher was closed')
  }

  return {
    async checkTopic(topic) {
      for (let attempt = 1; ; attempt++) {
        try {
          await admin.run((a) => a.fetchTopicMetadata({ topics: [topic] }))
          return
        } catch (error) {
          if (attempt < MISSING_TOPIC_TRIES) continue
          const missing = rootCause(error).type === 'UNKNOWN_TOPIC_OR_PARTITION'
          const detail = missing ? `there is no topic ${topic}` : `the topic ${topic} could not be looked up`
          throw new KlatschError('server.unavailable', detail, { cause: error })
        }
      }
    },

    async send(batch) {
      try {
        identity ??= await connect()
        await identity.producer.sendBatch({
          acks: -1,
          timeout: REQUEST_TIMEOUT_MS - 2_000,
          topicMessages: batch.topics as unknown as TopicMessages[],
        })
        missingTopic = 0
      } catch (error) {
        missingTopic = rootCause(error).type === 'UNKNOWN_TOPIC_OR_PARTITION' ? missingTopic + 1 : 0
        throw classify(error, missingTopic > DELETED_TOPIC_TRIES)
      }
    },

    async renew() {
      const old = identity
      identity = undefined
      // Cut first: a request of the old identity must not be read after one of the new.
      old?.cut()
      await old?.end()
      identity = await connect()
    },

    async close() {
      closed = true
      await identity?.end()
    },
  }
}

async function connectProducer(settings: KafkaSettings, choose: Partitioner): Promise<Identity> {
  const client = kafkaClient(settings)
  const producer = client.kafka.producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    retry: { retries: 0 },
    createPartitioner:
      () =>
      ({ message, partitionMetadata }) =>
        choose(message as Message, partitionMetadata.length),
  })
  // An answer that did not come may still be under way on that connection: nothing may be sent beside it.
  producer.on(producer.events.REQUEST_TIMEOUT, client.cut)
  const end = () => client.end(producer.disconnect(), 2_000)
  try {
    await within(systemScheduler, 2 * REQUEST_TIMEOUT_MS, 'connecting the producer', producer.connect())
  } catch (error) {
    await end()
    throw new SendFault('passing', error)
  }
  return { producer, end, cut: client.cut }
}

function classify(error: unknown, deleted: boolean): SendFault {
  if (error instanceof SendFault) return error
  if (deleted) return new SendFault('record', error)
  const cause = rootCause(error)
  if (cause.type && RECORD_FAULTS.has(cause.type)) {
    return new SendFault(
      'record',
      error,
      cause.type === 'MESSAGE_TOO_LARGE' || cause.type === 'RECORD_LIST_TOO_LARGE',
    )
  }
  if (cause.type && IDENTITY_FAULTS.has(cause.type)) return new SendFault('identity', error)
  // What kafkajs calls not retriable without the broker having said so is a broken state of its own.
  if (cause.type === undefined && cause.retriable !== true) return new SendFault('identity', error)
  return new SendFault('passing', error)
}
