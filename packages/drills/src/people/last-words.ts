import { type GatewaySignal, presenceSignalSchema, topics } from '@klatsch/contracts'
import { type IncomingRecord, kafkaEventBus, readRange } from '@klatsch/event-bus'
import { settingsOf } from './log.ts'

const READ_MS = 60_000
const { name: topic } = topics.presenceSignals

/** Puts what a gateway said in its last life on `presence.signals` once more, in order. @throws when it never said anything */
export async function sayAgain(brokers: string, isMeant: (gateway: string) => boolean): Promise<void> {
  const settings = settingsOf(brokers)
  /** By partition: there its lives are its own. */
  const lives = new Map<number, { epoch: number; records: IncomingRecord[] }>()
  const { complete } = await readRange(
    settings,
    { topic, from: { kind: 'begin' }, signal: AbortSignal.timeout(READ_MS) },
    (record) => {
      const signal = signalOf(record)
      if (!signal || !isMeant(signal.gateway)) return
      const { epoch } = signal
      const life = lives.get(record.partition)
      if (!life || life.epoch < epoch) lives.set(record.partition, { epoch, records: [record] })
      else if (life.epoch === epoch) life.records.push(record)
    },
  )
  if (!complete) throw new Error(`${topic} could not be read within ${READ_MS / 1_000} s`)
  if (lives.size === 0) throw new Error(`it said nothing on ${topic}`)
  const bus = kafkaEventBus(settings)
  try {
    const publisher = await bus.publisher()
    const records = [...lives.values()].flatMap(({ records }) => records)
    await publisher.publish(records.map(({ key, value, headers }) => ({ topic, key, value, headers })))
  } finally {
    await bus.close()
  }
}

function signalOf({ value }: IncomingRecord): GatewaySignal | undefined {
  const { data } = presenceSignalSchema.safeParse(JSON.parse(value.toString()))
  return data?.kind === 'gateway' ? data : undefined
}
