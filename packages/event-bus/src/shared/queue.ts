import type { IncomingRecord } from '../types.ts'

/** Records in arrival order with their size in bytes; taking is amortised constant time. */
export interface RecordQueue {
  readonly length: number
  readonly bytes: number
  push(records: readonly IncomingRecord[]): void
  readonly first: IncomingRecord | undefined
  /** The next records, up to `max` or to the first that `may` refuses. */
  take(max: number, may?: (record: IncomingRecord) => boolean): IncomingRecord[]
  clear(): void
}

export const recordBytes = (record: IncomingRecord): number => record.value.length + record.key.length + 64

export function recordQueue(): RecordQueue {
  let items: IncomingRecord[] = []
  let head = 0
  let bytes = 0
  return {
    get length() {
      return items.length - head
    },
    get bytes() {
      return bytes
    },
    push(records) {
      for (const record of records) {
        items.push(record)
        bytes += recordBytes(record)
      }
    },
    get first() {
      return items[head]
    },
    take(max, may) {
      const last = may ? items.findIndex((record, at) => at >= head && !may(record)) : -1
      const taken = items.slice(head, Math.min(head + max, last < 0 ? items.length : last))
      head += taken.length
      for (const record of taken) bytes -= recordBytes(record)
      if (head === items.length) {
        items = []
        head = 0
      } else if (head > 4_096) {
        items = items.slice(head)
        head = 0
      }
      return taken
    },
    clear() {
      items = []
      head = 0
      bytes = 0
    },
  }
}
