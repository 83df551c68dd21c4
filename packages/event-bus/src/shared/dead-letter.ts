import { deadLetterHeaders, dlqOf, KlatschError } from '@klatsch/contracts'
import type { DeadLetter, OutgoingRecord } from '../types.ts'

/** The record for `<topic>.dlq`: key, value and headers as they came, and why it is there in headers beside. */
export function deadLetterRecord(group: string, letter: DeadLetter, now: Date): OutgoingRecord {
  const { record, error } = letter
  const code = error instanceof KlatschError ? error.code : error instanceof Error ? error.name : 'unknown'
  return {
    topic: dlqOf(record.topic),
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      [deadLetterHeaders.topic]: record.topic,
      [deadLetterHeaders.partition]: String(record.partition),
      [deadLetterHeaders.offset]: record.offset,
      [deadLetterHeaders.group]: group,
      [deadLetterHeaders.code]: code,
      [deadLetterHeaders.error]: (error instanceof Error ? error.message : String(error)).slice(0, 1_000),
      [deadLetterHeaders.attempts]: String(letter.attempts),
      [deadLetterHeaders.firstFailedAt]: letter.firstFailedAt.toISOString(),
      [deadLetterHeaders.lastFailedAt]: now.toISOString(),
    },
  }
}
