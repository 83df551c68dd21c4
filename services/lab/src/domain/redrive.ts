import { deadLetterHeaders, headers, type LabLetter, topics } from '@klatsch/contracts'
import { commandNameOf, nameKey } from './letters.ts'
import type { LogRecord } from './record.ts'

/** A record as it is to be appended. */
export interface NewRecord {
  readonly topic: string
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export interface Letter {
  readonly record: LogRecord
  readonly letter: LabLetter
}

/** Nobody waits for an answer any more; the request's name may be another's by now. */
const left = new Set<string>([headers.replyTo, headers.requestId, ...Object.values(deadLetterHeaders)])

/** The letters that are to be sent again: commands that are still held, each once, in the order of their partitions. */
export function redrivable(letters: readonly Letter[], limit: number): LogRecord[] {
  const seen = new Set<string>()
  return letters
    .filter(({ letter }) => letter.state === 'held')
    .map(({ record }) => record)
    .sort((a, b) => a.partition - b.partition || (BigInt(a.offset) < BigInt(b.offset) ? -1 : 1))
    .filter((record) => {
      const name = commandNameOf(record)
      if (!name || seen.has(nameKey(name))) return false
      seen.add(nameKey(name))
      return true
    })
    .slice(0, limit)
}

/** The command as it first came, and that it comes out of the dead letters. */
export function redriven({ key, value, headers: given, partition, offset }: LogRecord): NewRecord {
  const kept = Object.entries(given).filter(([name]) => !left.has(name))
  return {
    topic: topics.commands.name,
    key,
    value,
    headers: { ...Object.fromEntries(kept), [headers.redrive]: `${partition}@${offset}` },
  }
}

/** The record as it was, and where it was. */
export function replayed(record: LogRecord, target: string): NewRecord {
  const { topic, partition, offset, key, value } = record
  const from = `${topic}[${partition}]@${offset}`
  return { topic: target, key, value, headers: { ...record.headers, [headers.replayOf]: from } }
}
