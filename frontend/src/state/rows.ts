import type { Entry, MessageEntry } from './entry.ts'
import { entryKey } from './entry.ts'
import type { Sending } from './sending.ts'

/** One message as it is shown: from the room, or still on its way there. */
export interface MessageRow {
  readonly key: string
  readonly at: number
  readonly text: string
  readonly messageNo: number | undefined
  readonly sending: Sending | undefined
}

/** What a timeline is made of, from top to bottom. */
export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'new'; readonly key: string }
  | {
      readonly kind: 'group'
      readonly key: string
      readonly author: string
      readonly messages: readonly MessageRow[]
    }
  | {
      readonly kind: 'quiet'
      readonly key: string
      readonly at: number
      readonly entries: readonly QuietEntry[]
    }

export type QuietEntry = Extract<Entry, { kind: 'joined' | 'left' | 'created' | 'renamed' }>

/** Messages of one author within this time of one another stand under one name. */
const GROUP_MS = 5 * 60_000

export interface RowInput {
  readonly me: string
  readonly entries: readonly Entry[]
  /** Of this room, in the order written. */
  readonly sending: readonly Sending[]
  /** A line goes above the first message of another person after this messageNo. */
  readonly newAfter: number | undefined
}

export function rowsOf({ me, entries, sending, newAfter }: RowInput): readonly Row[] {
  const rows: Row[] = []
  let day = ''
  let lineDrawn = newAfter === undefined
  const startDay = (at: number) => {
    const next = new Date(at).toDateString()
    if (next === day) return
    day = next
    rows.push({ kind: 'day', key: `day/${next}`, at })
  }
  for (const entry of entries) {
    if (entry.kind === 'unknown') continue
    if (entry.kind === 'message') {
      startDay(entry.at)
      if (!lineDrawn && entry.messageNo > newAfter! && entry.author !== me) {
        lineDrawn = true
        rows.push({ kind: 'new', key: 'new' })
      }
      addMessage(rows, entry.author, messageRow(entry))
      continue
    }
    startDay(entry.at)
    const last = rows.at(-1)
    if (last?.kind === 'quiet') rows[rows.length - 1] = { ...last, entries: [...last.entries, entry] }
    else rows.push({ kind: 'quiet', key: `quiet/${entry.id}`, at: entry.at, entries: [entry] })
  }
  for (const message of sending) {
    startDay(message.at)
    const key = entryKey(`user:${me}`, message.id)
    addMessage(rows, me, { key, at: message.at, text: message.text, messageNo: undefined, sending: message })
  }
  return rows
}

const shown = new WeakMap<MessageEntry, MessageRow>()

/** The same row for the same entry, so that what did not change is not rendered again. */
function messageRow(entry: MessageEntry): MessageRow {
  const had = shown.get(entry)
  if (had) return had
  const row = {
    key: entry.key,
    at: entry.at,
    text: entry.text,
    messageNo: entry.messageNo,
    sending: undefined,
  }
  shown.set(entry, row)
  return row
}

function addMessage(rows: Row[], author: string, message: MessageRow): void {
  const last = rows.at(-1)
  const previous = last?.kind === 'group' ? last.messages.at(-1) : undefined
  if (last?.kind === 'group' && last.author === author && previous && message.at - previous.at < GROUP_MS) {
    // The array is still being built here; nobody else has seen it.
    ;(last.messages as MessageRow[]).push(message)
  } else rows.push({ kind: 'group', key: message.key, author, messages: [message] })
}

/** Whether two rows show the same. */
export function sameRow(a: Row, b: Row): boolean {
  if (a === b) return true
  if (a.kind === 'group' && b.kind === 'group') {
    return (
      a.author === b.author &&
      a.messages.length === b.messages.length &&
      a.messages.every((message, index) => message === b.messages[index])
    )
  }
  if (a.kind === 'quiet' && b.kind === 'quiet') {
    return (
      a.entries.length === b.entries.length && a.entries.every((entry, index) => entry === b.entries[index])
    )
  }
  return a.kind === b.kind && a.key === b.key
}
