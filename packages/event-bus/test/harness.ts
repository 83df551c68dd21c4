import type { Scheduler } from '@klatsch/streams'
import { expect } from 'vitest'
import type {
  BatchHandler,
  Consumer,
  ConsumerOptions,
  EventBus,
  IncomingRecord,
  OutgoingRecord,
} from '../src/types.ts'

/** What the suite needs of a bus under test. One harness serves one test. */
export interface BusHarness {
  /** A fresh topic and its dead letters, made with as many partitions. */
  newTopic(partitions: number): Promise<string>
  /** A bus as another process would have it. */
  newBus(): EventBus
  readonly scheduler: Scheduler
  /** Lets time go by until the condition holds; fails after a while. */
  until(done: () => boolean, what: string): Promise<void>
  /** Lets time go by until the promise is settled. */
  wait<T>(promise: Promise<T>): Promise<T>
  /** Every record of a topic, in order within a partition. */
  read(topic: string): Promise<readonly IncomingRecord[]>
  /** Sets the committed offset of partition 0 for a group without members. */
  commit(group: string, topic: string, offset: bigint): Promise<void>
  end(): Promise<void>
}

let groups = 0
export const newGroup = (): string => `test-${process.pid}-${Date.now().toString(36)}-${++groups}`

export const record = (topic: string, key: string, value: string | Buffer): OutgoingRecord => ({
  topic,
  key,
  value,
  headers: {},
})
export const text = (r: IncomingRecord): string => r.value.toString()
export const byKey = (records: readonly IncomingRecord[]): Map<string, string[]> => {
  const found = new Map<string, string[]>()
  for (const r of records) found.set(r.key, [...(found.get(r.key) ?? []), text(r)])
  return found
}

/** A key for each partition of a topic of `count` partitions, found by asking the log. */
export async function keysOfPartitions(h: BusHarness, topic: string, count: number): Promise<string[]> {
  const publisher = await h.newBus().publisher()
  const keys = Array.from({ length: count * 20 }, (_, i) => `key-${i}`)
  await h.wait(publisher.publish(keys.map((key) => record(topic, key, 'probe'))))
  const found: string[] = []
  for (const r of await h.read(topic)) found[r.partition] ??= r.key
  expect(found.filter(Boolean)).toHaveLength(count)
  return found
}

/** A consumer that is ready. */
export async function consume(
  h: BusHarness,
  bus: EventBus,
  topic: string,
  handler: BatchHandler,
  options: Partial<ConsumerOptions> = {},
): Promise<Consumer> {
  const group = newGroup()
  const consumer = await bus.consume({ group, topics: [topic], start: 'committed', handler, ...options })
  await h.wait(consumer.ready)
  return consumer
}
