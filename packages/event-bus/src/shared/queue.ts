import type { IncomingRecord } from '../types.ts'

/** Records in arrival order with their size in bytes; taking is amortised constant time. */
export interface RecordQueue {
  readonly length: number
  readonly bytes: number
  push(records: readonly IncomingRecord[]): void
  take(max: number): IncomingRecord[]
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
    take(max) {
      const taken = items.slice(head, head + max)
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
