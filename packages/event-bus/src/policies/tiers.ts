import { type RetryTier, retryHeaders } from '@klatsch/contracts'
import type { DeadLetter, IncomingRecord, OutgoingRecord } from '../types.ts'

/** Where a record was first, and how often it was tried before it came here. */
export interface Origin {
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly attempts: number
  readonly firstFailedAt: Date | undefined
}

/** Of a record of a delay topic, what its headers say; of any other, what it is. */
export function originOf(record: IncomingRecord): Origin {
  const { headers } = record
  const topic = headers[retryHeaders.topic]
  const offset = headers[retryHeaders.offset]
  if (topic === undefined || offset === undefined) {
    const { topic: own, partition, offset: at } = record
    return { topic: own, partition, offset: at, attempts: 0, firstFailedAt: undefined }
  }
  const firstFailedAt = headers[retryHeaders.firstFailedAt]
  return {
    topic,
    partition: Number(headers[retryHeaders.partition]),
    offset,
    attempts: Number(headers[retryHeaders.attempts] ?? 0),
    firstFailedAt: firstFailedAt === undefined ? undefined : new Date(firstFailedAt),
  }
}

/** The tier a record goes to after it failed in `topic`; undefined when it has been in all of them. */
export function tierAfter(topic: string, tiers: readonly RetryTier[]): RetryTier | undefined {
  return tiers[tiers.findIndex((tier) => tier.topic === topic) + 1]
}

/** The record for a delay topic: key, value and headers as they came, and where it came from in headers beside. */
export function deferredRecord(tier: RetryTier, letter: DeadLetter, code: string): OutgoingRecord {
  const { record } = letter
  const { topic, partition, offset } = originOf(record)
  return {
    topic: tier.topic,
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      [retryHeaders.topic]: topic,
      [retryHeaders.partition]: String(partition),
      [retryHeaders.offset]: offset,
      [retryHeaders.attempts]: String(letter.attempts),
      [retryHeaders.code]: code,
      [retryHeaders.firstFailedAt]: letter.firstFailedAt.toISOString(),
    },
  }
}

/** The headers it had before it was deferred. */
export function withoutRetryHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const own = new Set<string>(Object.values(retryHeaders))
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !own.has(name)))
}
