import type { KlatschError } from '@klatsch/contracts'
import type { OutgoingRecord } from '../types.ts'
import type { Batch, Message } from './transport.ts'

/** Records of one request at most: grouping and encoding take one turn of the event loop. */
const MAX_BATCH_RECORDS = 2_000

/** One call of `publish`. */
export interface Entry {
  readonly records: readonly OutgoingRecord[]
  readonly deadline: number
  /** Records put into a batch so far. */
  taken: number
  /** Records not yet appended. */
  open: number
  settled: boolean
  readonly resolve: () => void
  readonly reject: (error: KlatschError) => void
}

export interface PendingBatch extends Batch {
  readonly topics: readonly {
    readonly topic: string
    readonly messages: Message[]
    readonly owners: Entry[]
  }[]
  readonly shares: readonly { readonly entry: Entry; readonly count: number }[]
}

/** What was published and is in no batch yet, in order. */
export interface WaitingRecords extends Iterable<Entry> {
  readonly first: Entry | undefined
  push(entry: Entry): void
  /**
   * Takes the next records, up to the bounds of a request or to the first whose topic is not known; undefined when
   * there are none. A record larger than `maxBytes` goes alone.
   */
  take(maxBytes: number, isKnown: (topic: string) => boolean): PendingBatch | undefined
  /** Forgets entries that have nothing left to take. */
  tidy(): void
}

export function waitingRecords(): WaitingRecords {
  let waiting: Entry[] = []
  return {
    get first() {
      return waiting[0]
    },
    [Symbol.iterator]: () => waiting[Symbol.iterator](),
    push: (entry) => void waiting.push(entry),
    take(maxBytes, isKnown) {
      const topics = new Map<string, { topic: string; messages: Message[]; owners: Entry[] }>()
      const shares: { entry: Entry; count: number }[] = []
      let records = 0
      let bytes = 0
      let used = 0
      fill: for (const entry of waiting) {
        const from = entry.taken
        while (entry.taken < entry.records.length) {
          const record = entry.records[entry.taken]!
          const size = sizeOf(record)
          const full = records === MAX_BATCH_RECORDS || (records > 0 && bytes + size > maxBytes)
          if (full || !isKnown(record.topic)) {
            if (entry.taken > from) shares.push({ entry, count: entry.taken - from })
            break fill
          }
          let group = topics.get(record.topic)
          if (!group) {
            group = { topic: record.topic, messages: [], owners: [] }
            topics.set(record.topic, group)
          }
          group.messages.push({ key: record.key, value: record.value, headers: record.headers })
          group.owners.push(entry)
          entry.taken++
          records++
          bytes += size
        }
        shares.push({ entry, count: entry.taken - from })
        used++
      }
      waiting.splice(0, used)
      return records === 0 ? undefined : { topics: [...topics.values()], records, shares }
    },
    tidy() {
      waiting = waiting.filter((entry) => entry.taken < entry.records.length)
    },
  }
}

/** Each record as a batch of its own, in order within its topic. */
export function singles(batch: PendingBatch): PendingBatch[] {
  return batch.topics.flatMap(({ topic, messages, owners }) =>
    messages.map((message, i) => {
      const entry = owners[i]!
      return {
        topics: [{ topic, messages: [message], owners: [entry] }],
        records: 1,
        shares: [{ entry, count: 1 }],
      }
    }),
  )
}

/** About what the record takes in a request. */
function sizeOf(record: OutgoingRecord): number {
  let size = 40 + record.key.length
  size += typeof record.value === 'string' ? Buffer.byteLength(record.value) : record.value.length
  for (const name in record.headers) size += 8 + name.length + record.headers[name]!.length
  return size
}
