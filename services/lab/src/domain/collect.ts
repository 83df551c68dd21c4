import { inTime, type LogRecord } from './record.ts'

export interface CollectOptions {
  readonly matches: (record: LogRecord) => boolean
  /** Records wanted at most. */
  readonly limit: number
  /** `first`: enough when there are so many. `newest`: of all that are read, the latest so many. */
  readonly which: 'first' | 'newest'
  /** Records read at most, and bytes kept at most. */
  readonly maxScanned: number
  readonly maxBytes: number
}

export interface Collector {
  take(record: LogRecord): void
  /** No more is wanted. */
  readonly enough: boolean
  readonly scanned: number
  /** In the order of their times. */
  readonly records: readonly LogRecord[]
}

/** Picks from a stretch of the log, within bounds. */
export function collector({ matches, limit, which, maxScanned, maxBytes }: CollectOptions): Collector {
  let kept: LogRecord[] = []
  let bytes = 0
  let scanned = 0

  const sizeOf = (record: LogRecord) => record.value.length
  function newest(): LogRecord[] {
    const sorted = kept.toSorted(inTime).slice(-limit)
    let room = maxBytes
    const from = sorted.findLastIndex((record) => {
      room -= sizeOf(record)
      return room < 0
    })
    return sorted.slice(from + 1)
  }

  return {
    get enough() {
      return scanned >= maxScanned || (which === 'first' && (kept.length >= limit || bytes >= maxBytes))
    },
    get scanned() {
      return scanned
    },
    get records() {
      return which === 'newest' ? newest() : kept.toSorted(inTime)
    },
    take(record) {
      scanned += 1
      if (!matches(record)) return
      kept.push(record)
      bytes += sizeOf(record)
      // Partitions come one after the other, so what is the newest is known at the end; until then memory is bounded.
      if (which === 'newest' && (kept.length > 4 * limit || bytes > 2 * maxBytes)) {
        kept = newest()
        bytes = kept.reduce((sum, each) => sum + sizeOf(each), 0)
      }
    },
  }
}
