import type { LabRecord } from '@klatsch/contracts'

/** A record as the log has it. `timestamp`: milliseconds since the epoch. */
export interface LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
  readonly timestamp: number
}

/** The value as JSON where it is that; else the text, so that garbage is seen for what it is. */
export function bodyOf(record: LogRecord): unknown {
  const text = record.value.toString()
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

export function shown(record: LogRecord): LabRecord {
  const { topic, partition, offset, key, timestamp, headers } = record
  return { topic, partition, offset, key, time: timeOf(timestamp), headers, value: bodyOf(record) }
}

export const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString()

/** By time, and within a partition by offset. */
export function inTime(a: LogRecord, b: LogRecord): number {
  if (a.topic === b.topic && a.partition === b.partition) return BigInt(a.offset) < BigInt(b.offset) ? -1 : 1
  return a.timestamp - b.timestamp
}

/** A text field of a body, if it has it. */
export function textOf(body: unknown, name: string): string | undefined {
  const found =
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
  return typeof found === 'string' ? found : undefined
}
