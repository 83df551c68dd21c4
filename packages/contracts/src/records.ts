import { headers } from './headers.ts'

/** A place in a topic, in every partition of it. */
export type LogPosition =
  | { readonly kind: 'begin' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: string }
  /** The first record not before these milliseconds since the epoch. */
  | { readonly kind: 'time'; readonly time: number }
  /** So many records before the end. */
  | { readonly kind: 'last'; readonly count: number }
  /** An offset for each partition; those that are not named begin at their beginning. */
  | { readonly kind: 'offsets'; readonly offsets: ReadonlyMap<number, string> }

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** What a position can be, in words for people. */
export const POSITIONS =
  'begin, end, an offset (120), the last so many (last:50), a time (2026-01-31T12:00) or a time ago (10m, 2h)'

/** Reads a position as people write it, or as `writePosition` did; undefined for anything else. */
export function readPosition(word: string, now: number): LogPosition | undefined {
  if (word === 'begin') return { kind: 'begin' }
  if (word === 'end' || word === 'now') return { kind: 'end' }
  if (/^\d{1,19}$/.test(word)) return { kind: 'offset', offset: word }
  const last = /^last:(\d{1,6})$/.exec(word)
  if (last) return { kind: 'last', count: Number(last[1]) }
  if (/^@\d{1,5}:\d{1,19}(,\d{1,5}:\d{1,19})*$/.test(word)) {
    const pairs = word.slice(1).split(',')
    const offsets = pairs.map((pair) => pair.split(':')).map(([p, at]) => [Number(p), at!] as const)
    return { kind: 'offsets', offsets: new Map(offsets) }
  }
  const ago = /^(\d{1,9})([smhd])$/.exec(word)
  if (ago) return { kind: 'time', time: now - Number(ago[1]) * units[ago[2] as keyof typeof units] }
  const time = /^\d{4}-\d{2}-\d{2}/.test(word) ? Date.parse(word) : Number.NaN
  return Number.isNaN(time) ? undefined : { kind: 'time', time }
}

/** `@0:120,3:7`: the offset of each partition, to be read by `readPosition`. */
export function writeOffsets(offsets: ReadonlyMap<number, string>): string {
  const sorted = [...offsets].sort(([a], [b]) => a - b)
  return `@${sorted.map(([partition, offset]) => `${partition}:${offset}`).join(',')}`
}

/** Which records are meant. All that is given must fit. */
export interface RecordFilter {
  readonly key?: string | undefined
  /** How the type begins. */
  readonly type?: string | undefined
  readonly actor?: string | undefined
  /** `room:<id>`: its own records, and those that name it in another stream. */
  readonly room?: string | undefined
  /** Part of the value, compared without case. */
  readonly text?: string | undefined
}

/** A record's parts by which it is judged. */
export interface FilteredRecord {
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly value: Uint8Array
}

const decoder = new TextDecoder()

export function recordMatches(record: FilteredRecord, filter: RecordFilter): boolean {
  const { key, type, actor, room, text } = filter
  if (key !== undefined && record.key !== key) return false
  if (type !== undefined && !(record.headers[headers.type] ?? '').startsWith(type)) return false
  if (actor !== undefined && record.headers[headers.actor] !== actor) return false
  if (room === undefined && text === undefined) return true
  const value = decoder.decode(record.value)
  if (room !== undefined && record.key !== room && record.headers[headers.subject] !== room) {
    if (!value.includes(`"${room}"`)) return false
  }
  return text === undefined || value.toLowerCase().includes(text.toLowerCase())
}
