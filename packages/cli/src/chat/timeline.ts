import { type Row, type Span, span } from './row.ts'
import type { Entry, RoomState, Sending, State } from './state.ts'
import { fit, oneLine, printable, widthOf, wrap } from './text.ts'

/** One row of a timeline. `key` names what it belongs to, and stays when more is loaded above or comes below. */
export interface TimelineRow {
  readonly key: string
  readonly row: Row
}

/** Messages of one author within this time of one another stand under one name. */
const GROUP_MS = 5 * 60_000
const NAME_COLUMNS = 14
const TIME_COLUMNS = 7
const hues = ['cyan', 'green', 'yellow', 'blue', 'magenta', 'cyanBright'] as const

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
})

export const clockTime = (at: number): string => clock.format(at)

export function nameOf(state: State, id: string): string {
  return oneLine(state.people.get(id)?.displayName ?? '…')
}

/** The room from the first loaded event to what is on its way, in rows of at most `width` columns. */
export function timelineRows(state: State, room: RoomState, width: number): TimelineRow[] {
  const rows: TimelineRow[] = []
  const add = (key: string, ...row: Span[]) => rows.push({ key, row })
  const indent = TIME_COLUMNS + Math.min(NAME_COLUMNS, Math.max(6, Math.floor(width / 5))) + 2
  const { loaded } = room
  if (!loaded) {
    add('state', span(room.failed ? '  The conversation could not be loaded.' : '  Loading…', 'dim'))
    return rows
  }
  if (loaded.from <= room.first) {
    add('begin', span(`  ${oneLine(room.name)}`, 'bold'), span(': this is where the room begins.', 'dim'))
  } else {
    const what = room.failed ? 'Earlier messages could not be loaded.' : 'Loading earlier messages…'
    add('begin', span(`  ${what}`, 'dim'))
  }

  let last: { readonly author: string; readonly at: number } | undefined
  let today = ''
  let lineDrawn = room.newAfter === undefined
  const startDay = (at: number) => {
    const name = day.format(at)
    if (name === today) return
    today = name
    last = undefined
    const dashes = Math.max(0, width - widthOf(name) - 4)
    add(`day/${name}`, span(`── ${name} ${'─'.repeat(dashes)}`, 'dim'))
  }
  const say = (key: string, author: string, at: number, text: string, look: Span['look'], tail: Row) => {
    const grouped = last?.author === author && at - last.at < GROUP_MS
    last = { author, at }
    const name = fit(nameOf(state, author), indent - TIME_COLUMNS - 2)
    const gap = ' '.repeat(indent - TIME_COLUMNS - 2 - widthOf(name))
    const head: Row = grouped
      ? [span(' '.repeat(indent))]
      : [span(` ${clockTime(at)} `, 'dim'), span(gap), span(name, 'bold', hueOf(author)), span('  ')]
    const lines = wrap(printable(text), width - indent - 1)
    lines.forEach((line, index) => {
      const start = index === 0 ? head : [span(' '.repeat(indent))]
      const end = index === lines.length - 1 ? tail : []
      rows.push({ key, row: [...start, { text: line, ...(look ? { look } : {}) }, ...end] })
    })
  }

  for (const entry of loaded.entries) {
    startDay(entry.at)
    if (entry.kind !== 'message') {
      last = undefined
      const lead = ' '.repeat(TIME_COLUMNS)
      for (const line of wrap(sentence(state, entry), width - TIME_COLUMNS - 1)) {
        add(`${entry.seq}`, span(`${lead}${line}`, 'dim'))
      }
      continue
    }
    if (!lineDrawn && entry.messageNo > room.newAfter! && entry.author !== state.me.id) {
      lineDrawn = true
      last = undefined
      add('new', span(`${'─'.repeat(Math.max(0, width - 7))} new `, 'red'))
    }
    say(`${entry.seq}`, entry.author, entry.at, entry.text, undefined, [])
  }
  for (const message of state.sending) {
    if (message.room !== room.subject) continue
    startDay(message.at)
    const failed = message.state === 'failed'
    say(message.id, state.me.id, message.at, message.text, [failed ? 'red' : 'dim'], mark(message))
    if (!failed) continue
    const why = `✗ Not sent. ${oneLine(message.reason ?? '')} /retry or /discard`
    for (const line of wrap(why, width - indent - 1)) {
      add(message.id, span(' '.repeat(indent)), span(line, 'red'))
    }
  }
  return rows
}

function mark(message: Sending): Row {
  switch (message.state) {
    case 'waiting':
      return [span('  … waiting', 'yellow')]
    case 'sent':
      return [span('  … sending', 'dim')]
    case 'failed':
      return []
    default:
      return message.state satisfies never
  }
}

function sentence(state: State, entry: Exclude<Entry, { kind: 'message' }>): string {
  switch (entry.kind) {
    case 'joined':
    case 'left':
      return `${nameOf(state, entry.user)} ${entry.kind}`
    case 'named':
      // The room that everyone shares was made by nobody.
      if (entry.first && entry.by === 'chat') return `${oneLine(entry.name)} was opened`
      return `${nameOf(state, entry.by)} ${entry.first ? 'made the room' : 'named it'} ${oneLine(entry.name)}`
    default:
      return entry satisfies never
  }
}

function hueOf(id: string): (typeof hues)[number] {
  let hash = 2_166_136_261
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16_777_619)
  return hues[(hash >>> 0) % hues.length] ?? 'cyan'
}
