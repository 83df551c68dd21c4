import { deadLetterHeaders, dlqOf } from '@klatsch/contracts'
import { originOf, withoutRetryHeaders } from '../policies/tiers.ts'
import type { DeadLetter, OutgoingRecord } from '../types.ts'

/** The record for `<topic>.dlq`: key, value and headers as they first came, and why it is there in headers beside. */
export function deadLetterRecord(group: string, letter: DeadLetter, code: string, now: Date): OutgoingRecord {
  const { record, error } = letter
  const { topic, partition, offset } = originOf(record)
  return {
    topic: dlqOf(topic),
    key: record.key,
    value: record.value,
    headers: {
      ...withoutRetryHeaders(record.headers),
      [deadLetterHeaders.topic]: topic,
      [deadLetterHeaders.partition]: String(partition),
      [deadLetterHeaders.offset]: offset,
      [deadLetterHeaders.group]: group,
      [deadLetterHeaders.code]: code,
      [deadLetterHeaders.error]: (error instanceof Error ? error.message : String(error)).slice(0, 1_000),
      [deadLetterHeaders.attempts]: String(letter.attempts),
      [deadLetterHeaders.firstFailedAt]: letter.firstFailedAt.toISOString(),
      [deadLetterHeaders.lastFailedAt]: now.toISOString(),
    },
  }
}
