// A thread of the load: puts events on chat.events as fast as they are delivered, no more than a window ahead.
import { parentPort, workerData } from 'node:worker_threads'
import { partitionOf, topics } from '@klatsch/contracts'
import { Kafka, logLevel } from 'kafkajs'
import { type MadeEvent, makeEvent, type StreamPlace } from '../events.ts'

export interface FeederData {
  readonly brokers: string
  /** Deliveries so far, counted by the thread that receives. */
  readonly delivered: Int32Array
  /** Set to 1 to end a run. */
  readonly stop: Int32Array
}
export interface FeederRun {
  readonly streams: readonly StreamPlace[]
  readonly actor: string
  readonly text: string
  /** Events at most; made before the run begins. */
  readonly count: number
  /** Events that may be on their way at a time. */
  readonly window: number
  /** Sockets that get each event. */
  readonly fanOut: number
}
export type FeederSays =
  | { readonly kind: 'begun' }
  | {
      readonly kind: 'ended'
      readonly sent: number
      readonly streams: StreamPlace[]
      readonly frameBytes: number
    }

const { brokers, delivered, stop }: FeederData = workerData
const port = parentPort!
const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench-feeder', logLevel: logLevel.ERROR })
const producer = kafka.producer({ allowAutoTopicCreation: false })
await producer.connect()
port.on('message', (run: FeederRun) => void feed(run))

function makeEvents({ streams, actor, text, count }: FeederRun): MadeEvent[] {
  const places = [...streams]
  const time = new Date().toISOString()
  return Array.from({ length: count }, (_, index) => {
    const event = makeEvent(places[index % places.length]!, actor, text, time)
    places[index % places.length] = event
    return event
  })
}

async function feed(run: FeederRun): Promise<void> {
  const { streams, window, fanOut } = run
  const events = makeEvents(run)
  const messages = events.map(({ subject, value, headers }) => ({
    key: subject,
    value,
    headers: { ...headers },
    partition: partitionOf(subject, topics.events.partitions),
  }))
  const before = Atomics.load(delivered, 0)
  const underway = (sent: number) => sent - (Atomics.load(delivered, 0) - before) / fanOut
  port.postMessage({ kind: 'begun' } satisfies FeederSays)
  let sent = 0
  while (sent < events.length && Atomics.load(stop, 0) === 0) {
    const room = Math.floor(window - underway(sent))
    if (room < window / 4) {
      Atomics.wait(stop, 0, 0, 1)
      continue
    }
    const some = messages.slice(sent, sent + room)
    await producer.send({ topic: topics.events.name, messages: some, acks: -1 })
    sent += some.length
  }
  while (underway(sent) > 0 && Atomics.load(stop, 0) < 2) Atomics.wait(stop, 0, 1, 5)
  const places = new Map(streams.map((place) => [place.subject, place]))
  for (const { subject, seq, chain } of events.slice(0, sent)) places.set(subject, { subject, seq, chain })
  port.postMessage({
    kind: 'ended',
    sent,
    streams: [...places.values()],
    frameBytes: events[0]!.value.length + 4,
  } satisfies FeederSays)
}
