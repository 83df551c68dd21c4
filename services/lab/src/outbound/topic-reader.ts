import { KlatschError, type LogPosition } from '@klatsch/contracts'
import { type KafkaSettings, readRange } from '@klatsch/event-bus'
import { type CollectOptions, collector } from '../domain/collect.ts'
import type { LogRecord } from '../domain/record.ts'

const WITHIN_MS = 10_000

export interface Stretch extends CollectOptions {
  readonly topic: string
  readonly partition?: number | undefined
  readonly from: LogPosition
  readonly to?: LogPosition | undefined
}

export interface Found {
  readonly records: readonly LogRecord[]
  readonly scanned: number
  /** Where reading ended before the end of the stretch; absent when all of it was read. */
  readonly next?: ReadonlyMap<number, string>
}

/**
 * Reads a stretch of a topic, for 10 s at most, and leaves no trace on the broker.
 * @throws KlatschError `request.not_found` (no such topic), `request.invalid` (no such partition), `server.unavailable`
 */
export type ReadTopic = (stretch: Stretch) => Promise<Found>

export function topicReader(kafka: KafkaSettings): ReadTopic {
  return async ({ topic, partition, from, to, ...what }) => {
    const found = collector(what)
    const over = new AbortController()
    const range = {
      topic,
      from,
      ...(partition === undefined ? {} : { partition }),
      ...(to === undefined ? {} : { to }),
      signal: AbortSignal.any([over.signal, AbortSignal.timeout(WITHIN_MS)]),
    }
    try {
      const end = await readRange(kafka, range, (record) => {
        found.take(record)
        if (found.enough) over.abort()
      })
      const { records, scanned } = found
      return end.complete ? { records, scanned } : { records, scanned, next: end.offsets }
    } catch (cause) {
      if (cause instanceof KlatschError) throw cause
      if (cause instanceof RangeError) throw new KlatschError('request.invalid', cause.message, { cause })
      throw new KlatschError('server.unavailable', 'the log cannot be read', { cause, retryAfterMs: 1_000 })
    }
  }
}
