import { type Draft, emptyDraft } from './editor.ts'
import { fitRow, type Row, type Span, span, spread } from './row.ts'
import { type RoomState, roomList, type State, unreadOf } from './state.ts'
import { fit, graphemes, oneLine, printable, widthOf } from './text.ts'
import { nameOf, type TimelineRow, timelineRows } from './timeline.ts'

/** Narrower than this, and there is only the room; wider than the other, and its members have a column. */
const WITH_ROOMS = 64
const WITH_MEMBERS = 110
const MEMBER_COLUMNS = 24
const MAX_DRAFT_ROWS = 6

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** What one person has done to the screen. */
export interface View {
  readonly room: string
  readonly drafts: ReadonlyMap<string, Draft>
  /** The lowest row in view, when that is not the end: the key of what it belongs to, and which row of it. */
  readonly bottom: { readonly key: string; readonly row: number } | undefined
  readonly panel: 'help' | 'members' | undefined
  /** Said by the program, until the next key. */
  readonly notice: string | undefined
}

export interface Screen {
  /** As many as the terminal has; each begins in the first column of its part. */
  readonly main: readonly Row[]
  readonly rooms: readonly Row[] | undefined
  readonly members: readonly Row[] | undefined
  /** Columns, from 0, where the parts begin. */
  readonly mainAt: number
  readonly membersAt: number
  readonly cursor: { readonly row: number; readonly column: number }
  /** The rows of the timeline that there are, and which one is the lowest in view. */
  readonly timeline: {
    readonly rows: readonly TimelineRow[]
    readonly lowest: number
    readonly height: number
  }
}

const HELP = [
  'Enter             send',
  'Alt Enter         a new line',
  'Alt ↑, Alt ↓      other room; also Ctrl P, Ctrl N',
  'Tab               next room with something new',
  'PageUp, PageDown  scroll; ↑ and ↓ by line',
  'Esc               to the end, or close this',
  'Ctrl C            leave',
  '',
  '/join NAME        a room you are in, or a public one',
  '/create NAME      a public room of your own',
  '/leave            this room',
  '/who              who is in this room',
  '/retry, /discard  what was not sent in this room',
  '/help, /quit      this, and leaving',
  '//…               a message that begins with one /',
]

/** The whole picture, as a function of what is known and what was pressed. `now`: milliseconds since the epoch. */
export function screenOf(state: State, view: View, { columns, rows }: Size, now: number): Screen {
  const roomColumns = columns >= WITH_ROOMS ? Math.min(26, Math.floor(columns * 0.26)) : 0
  const memberColumns = columns >= WITH_MEMBERS ? MEMBER_COLUMNS : 0
  const mainAt = roomColumns > 0 ? roomColumns + 1 : 0
  const width = Math.max(10, columns - mainAt - (memberColumns > 0 ? memberColumns + 1 : 0))
  const room = state.rooms.get(view.room)
  const written = draftRows(view.drafts.get(view.room) ?? emptyDraft, width)
  const height = Math.max(1, rows - 4 - written.rows.length)

  const timeline = room ? timelineRows(state, room, width) : []
  const found = view.bottom && lastIndexOf(timeline, view.bottom)
  const lowest = found ?? timeline.length - 1
  const shown = timeline.slice(Math.max(0, lowest + 1 - height), lowest + 1).map(({ row }) => row)
  const body = view.panel ? panelRows(state, view, room) : shown
  const filled = view.panel
    ? [...body, ...blank(height - body.length)].slice(0, height)
    : [...blank(height - body.length), ...body]

  const below = timeline.length - 1 - lowest
  const main = [
    header(state, room, width),
    [span('─'.repeat(width), 'dim')],
    ...filled,
    newsRow(state, view, room, below, width),
    ...written.rows,
    statusRow(state, now, width),
  ]
  return {
    main: main.slice(0, rows).map((row) => fitRow(row, width)),
    rooms: roomColumns > 0 ? roomRows(state, view, roomColumns, rows) : undefined,
    members: memberColumns > 0 ? memberColumn(state, room, memberColumns, rows) : undefined,
    mainAt,
    membersAt: columns - memberColumns,
    cursor: { row: rows - 1 - written.rows.length + written.row, column: mainAt + written.column },
    timeline: { rows: timeline, lowest, height },
  }
}

const blank = (count: number): Row[] => Array.from({ length: Math.max(0, count) }, () => [])

function lastIndexOf(
  rows: readonly TimelineRow[],
  { key, row }: { key: string; row: number },
): number | undefined {
  const first = rows.findIndex((one) => one.key === key)
  if (first < 0) return undefined
  const at = first + row
  return rows[at]?.key === key ? at : first
}

function header(state: State, room: RoomState | undefined, width: number): Row {
  if (!room) return [span(' No room', 'dim')]
  const online = state.online.get(room.subject)
  const people = `${room.memberCount} ${room.memberCount === 1 ? 'member' : 'members'}`
  return spread(
    [
      span(` ${oneLine(room.name)}`, 'bold'),
      span(room.private ? ' (private)' : ''),
      span(room.topic === '' ? '' : `  ${oneLine(room.topic)}`, 'dim'),
    ],
    [span(online === undefined || online === 0 ? `${people} ` : `${people}, ${online} here `, 'dim')],
    width,
  )
}

/** Between what was said and what one writes: what the program has to say, what is below, or who is typing. */
function newsRow(state: State, view: View, room: RoomState | undefined, below: number, width: number): Row {
  if (view.notice !== undefined) return [span(fit(` ${oneLine(view.notice)}`, width), 'yellow')]
  if (!room) return []
  if (below > 0) {
    const unread = unreadOf(room)
    const news = unread > 0 ? `${unread} new below` : `${below} lines below`
    return [span(` ↓ ${news} (Esc: to the end)`, unread > 0 ? 'yellow' : 'dim')]
  }
  const names = (state.typing.get(room.subject) ?? []).map((id) => nameOf(state, id))
  if (names.length === 0) return []
  const who =
    names.length > 3 ? 'Several people are' : `${names.join(', ')} ${names.length > 1 ? 'are' : 'is'}`
  return [span(` ${who} typing…`, 'dim', 'italic')]
}

function statusRow(state: State, now: number, width: number): Row {
  const waiting = state.sending.filter((message) => message.state === 'waiting').length
  const fate = waiting === 0 ? '' : ` · ${waiting} waiting, sent when you are back`
  const checked = `checked ${state.checked.toLocaleString('en')} · diverged ${state.diverged}`
  return spread(
    [
      span(' '),
      ...connectionSpans(state, now),
      span(fate, 'yellow'),
      span(` · ${oneLine(state.me.displayName)}`, 'dim'),
    ],
    [span(checked, state.diverged > 0 ? 'yellow' : 'dim'), span(' · /help ', 'dim')],
    width,
  )
}

function connectionSpans({ connection }: State, now: number): Row {
  switch (connection.kind) {
    case 'idle':
    case 'connecting':
      return [span('○ connecting', 'yellow')]
    case 'connected':
      return [span('●', 'green'), span(' connected', 'dim')]
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1_000))
      return [span(`○ offline, next try in ${seconds} s`, 'yellow')]
    }
    case 'stopped':
      return [span(`○ ended: ${oneLine(connection.reason)}`, 'red')]
    default:
      return connection satisfies never
  }
}

function roomRows(state: State, view: View, columns: number, rows: number): Row[] {
  const list = roomList(state)
  const at = Math.max(
    0,
    list.findIndex((room) => room.subject === view.room),
  )
  const height = rows - 2
  const start = Math.max(0, Math.min(at - Math.floor(height / 2), list.length - height))
  const lines = list.slice(start, start + height).map((room): Row => {
    const unread = unreadOf(room)
    const current = room.subject === view.room
    const failed = state.sending.some(
      ({ room: subject, state }) => subject === room.subject && state === 'failed',
    )
    const count = unread > 999 ? '999+' : unread > 0 ? `${unread}` : ''
    const right: Span[] = [
      span(failed ? ' ✗' : '', 'red'),
      span(count === '' ? '' : ` ${count}`, 'bold', 'yellow'),
      span(' '),
    ]
    const look = unread > 0 || current ? (['bold'] as const) : (['dim'] as const)
    return spread([span(current ? ' › ' : '   '), span(oneLine(room.name), ...look)], right, columns)
  })
  const border = (row: Row): Row => [...spread(row, [], columns), span('│', 'dim')]
  return [
    [span(' Klatsch', 'bold')],
    [span('─'.repeat(columns), 'dim')],
    ...lines,
    ...blank(height - lines.length),
  ].map(border)
}

const dots = {
  online: span('● ', 'green'),
  away: span('◐ ', 'green'),
  dnd: span('⊖ ', 'red'),
  offline: span('○ ', 'dim'),
} as const

/** Those who are here first, then by name. */
function memberRows(state: State, room: RoomState): Row[] {
  if (!room.members) return [[span(' Asking…', 'dim')]]
  const isHere = (id: string) => Number((state.here.get(id)?.state ?? 'offline') !== 'offline')
  return [...room.members]
    .map((id) => ({ id, name: nameOf(state, id) }))
    .sort((a, b) => isHere(b.id) - isHere(a.id) || a.name.localeCompare(b.name))
    .map(({ id, name }) => {
      const presence = state.here.get(id)?.state ?? 'offline'
      return [
        span(' '),
        dots[presence],
        span(name, ...(presence === 'offline' ? (['dim'] as const) : [])),
        span(id === state.me.id ? ' (you)' : presence === 'dnd' ? ' do not disturb' : '', 'dim'),
      ]
    })
}

function memberColumn(state: State, room: RoomState | undefined, columns: number, rows: number): Row[] {
  const title: Row = [span(' Members', 'bold'), span(room ? ` ${room.memberCount}` : '', 'dim')]
  const all = room ? memberRows(state, room) : []
  const height = rows - 2
  const more = all.length > height ? [[span(` and ${all.length - height + 1} more`, 'dim')]] : []
  const lines = [...all.slice(0, height - more.length), ...more]
  return [title, [span('─'.repeat(columns - 1), 'dim')], ...lines, ...blank(height - lines.length)].map(
    (row) => [span('│', 'dim'), ...fitRow(row, columns - 1)],
  )
}

function panelRows(state: State, view: View, room: RoomState | undefined): Row[] {
  if (view.panel === 'help') return [[], ...HELP.map((line): Row => [span(`  ${line}`)])]
  return [[], ...(room ? memberRows(state, room) : [])]
}

/** What is being written, with the place of the cursor in it. */
function draftRows(draft: Draft, width: number): { rows: Row[]; row: number; column: number } {
  const room = width - 4
  const all = graphemes(draft.text)
  const before = wrapHard(all.slice(0, draft.at).map(printable), room)
  const lines = wrapHard(all.map(printable), room)
  const at = before.length - 1
  const start = Math.max(0, at - MAX_DRAFT_ROWS + 1)
  const rows = lines
    .slice(start, start + MAX_DRAFT_ROWS)
    .map((line, index): Row => [span(start + index === 0 ? ' › ' : '   ', 'cyan'), span(line)])
  return { rows, row: at - start, column: 3 + widthOf(before[at] ?? '') }
}

/** Without regard for words, so that the cursor's place does not depend on what follows it. */
function wrapHard(all: readonly string[], width: number): string[] {
  const lines = ['']
  let used = 0
  for (const one of all) {
    const wide = one === '\n' ? 0 : widthOf(one)
    if (one === '\n' || used + wide > width) {
      lines.push('')
      used = 0
    }
    if (one !== '\n') lines[lines.length - 1] += one
    used += wide
  }
  return lines
}
