import type { OffsetRange } from '../shared/connection.ts'
import type { Message } from '../shared/transport.ts'
import type { IncomingRecord } from '../types.ts'

/** Partitioned logs in memory, with the committed offsets of groups. It has no asynchrony; `network` adds that. */
export interface MemoryLog {
  partitions(topic: string): number | undefined
  make(topic: string, partitions: number): void
  append(topic: string, partition: number, messages: readonly Message[]): void
  /** Records from an offset on, up to `max`. */
  read(topic: string, partition: number, from: bigint, max: number): readonly IncomingRecord[]
  range(topic: string, partition: number): OffsetRange
  /** As retention does: what is before `begin` is gone. */
  truncate(topic: string, partition: number, begin: bigint): void
  /** Called after each append; the answer ends that. */
  onAppend(listener: (topic: string, partition: number) => void): () => void
  committed(group: string): Map<string, { topic: string; partition: number; offset: bigint }>
}

interface Partition {
  begin: bigint
  records: IncomingRecord[]
}

export function memoryLog(topics: Readonly<Record<string, number>>, now: () => number): MemoryLog {
  const logs = new Map<string, Partition[]>()
  const make = (topic: string, partitions: number): void => {
    logs.set(
      topic,
      Array.from({ length: partitions }, () => ({ begin: 0n, records: [] })),
    )
  }
  for (const [topic, partitions] of Object.entries(topics)) make(topic, partitions)
  const committed = new Map<string, Map<string, { topic: string; partition: number; offset: bigint }>>()
  const listeners = new Set<(topic: string, partition: number) => void>()

  function find(topic: string, partition: number): Partition {
    const found = logs.get(topic)?.[partition]
    if (!found) throw new Error(`there is no ${topic}[${partition}]`)
    return found
  }

  return {
    partitions: (topic) => logs.get(topic)?.length,
    make,
    append(topic, partition, messages) {
      const log = find(topic, partition)
      for (const { key, value, headers } of messages) {
        log.records.push({
          topic,
          partition,
          offset: String(log.begin + BigInt(log.records.length)),
          key,
          value: Buffer.from(value),
          headers: { ...headers },
          timestamp: now(),
        })
      }
      for (const listener of listeners) listener(topic, partition)
    },
    read(topic, partition, from, max) {
      const { begin, records } = find(topic, partition)
      const first = Number(from - begin)
      return records.slice(first, first + max)
    },
    range(topic, partition) {
      const { begin, records } = find(topic, partition)
      return { begin, end: begin + BigInt(records.length) }
    },
    truncate(topic, partition, begin) {
      const log = find(topic, partition)
      log.records.splice(0, Number(begin - log.begin))
      log.begin = begin
    },
    onAppend(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    committed(group) {
      let found = committed.get(group)
      if (!found) {
        found = new Map()
        committed.set(group, found)
      }
      return found
    },
  }
}
