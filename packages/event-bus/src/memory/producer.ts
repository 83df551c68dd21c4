import type { Batch, Message, Partitioner } from '../shared/transport.ts'
import type { MemoryLog } from './log.ts'

interface Part {
  readonly topic: string
  readonly partition: number
  readonly messages: Message[]
}

export interface ProduceRequest {
  /** At the broker: appends what it takes for new. */
  readonly arrives: () => void
  /** The broker's answer has come. */
  readonly answered: () => void
}

/**
 * As kafkajs and Kafka do it: a request carries, for each partition, the number after the last that was answered, and the
 * broker takes one with a number that it had for a repetition. So with one request in flight each is appended once; with
 * two, one whose answer is lost can make the broker drop the other, and say that it has it.
 */
export function idempotentProducer(log: MemoryLog): {
  request(parts: readonly Part[]): ProduceRequest
} {
  const next = new Map<string, number>()
  const had = new Map<string, number>()
  return {
    request(parts) {
      const numbered = parts.map((part) => {
        const key = `${part.topic}[${part.partition}]`
        return { ...part, key, number: next.get(key) ?? 0 }
      })
      return {
        arrives() {
          for (const { key, number, topic, partition, messages } of numbered) {
            if (number <= (had.get(key) ?? -1)) continue
            had.set(key, number)
            log.append(topic, partition, messages)
          }
        },
        answered() {
          for (const { key, number } of numbered) next.set(key, number + 1)
        },
      }
    },
  }
}

/** The records of a batch by where they go. */
export function byPartition(
  batch: Batch,
  partitions: (topic: string) => number,
  choose: Partitioner,
): readonly Part[] {
  const groups = new Map<string, Part>()
  for (const { topic, messages } of batch.topics) {
    for (const message of messages) {
      const partition = choose(message, partitions(topic))
      const key = `${topic}[${partition}]`
      let found = groups.get(key)
      if (!found) {
        found = { topic, partition, messages: [] }
        groups.set(key, found)
      }
      found.messages.push(message)
    }
  }
  return [...groups.values()]
}
