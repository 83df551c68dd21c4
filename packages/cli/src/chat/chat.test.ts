import type { StreamEvent, User } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { type Draft, type Edit, edit, emptyDraft } from './editor.ts'
import { lineOf } from './piped.ts'
import { plain } from './row.ts'
import { screenOf, type View } from './screen.ts'
import { type Action, initialState, reduce, type State, unreadOf } from './state.ts'
import { fit, oneLine, printable, widthOf, wrap } from './text.ts'

const user = (n: number, displayName: string): User => ({
  id: `00000000-0000-4000-8000-00000000000${n}`,
  username: displayName.toLowerCase(),
  displayName,
  guest: false,
  admin: false,
})
const ada = user(1, 'Ada')
const bea = user(2, 'Bea')
const ROOM = 'room:a'
const NOW = Date.parse('2026-01-02T10:00:00Z')

function event(seq: number, by: User, type: string, data: unknown, minutes = 0): StreamEvent {
  const id = `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`
  return {
    specversion: '1.0',
    id,
    source: 'chat',
    type,
    subject: ROOM,
    time: new Date(NOW + minutes * 60_000).toISOString(),
    datacontenttype: 'application/json',
    seq,
    actor: `user:${by.id}`,
    causationid: id,
    correlationid: id,
    datahash: '',
    prevchain: '',
    chain: '',
    data,
  }
}
const said = (seq: number, by: User, text: string, messageNo = seq, minutes = 0) =>
  event(seq, by, 'chat.message.sent.v1', { text, messageNo }, minutes)

const room = {
  id: 'a',
  name: 'Kitchen',
  topic: 'Cake',
  visibility: 'public' as const,
  memberCount: 2,
  member: true,
}
const begun: readonly Action[] = [
  { type: 'rooms', rooms: [{ ...room, head: 2, lastMessageNo: 2 }] },
  { type: 'people', people: [bea] },
  { type: 'page', subject: ROOM, from: 1, first: 1, events: [said(1, bea, 'one'), said(2, ada, 'two')] },
]
const after = (...actions: readonly Action[]): State =>
  [...begun, ...actions].reduce(reduce, initialState(ada))
const roomOf = (state: State) => state.rooms.get(ROOM)!

const view: View = { room: ROOM, drafts: new Map(), bottom: undefined, panel: undefined, notice: undefined }
function shown(state: State, change: Partial<View> = {}, columns = 60, rows = 20): string[] {
  return screenOf(state, { ...view, ...change }, { columns, rows }, NOW).main.map(plain)
}

test('what people write cannot steer the terminal', () => {
  expect(printable('a\u001b[2Jb\u0007\u009b31m')).toBe('a�[2Jb��31m')
  expect(printable('safe \u202ereversed')).toBe('safe reversed')
  expect(oneLine('two\r\nlines')).toBe('two ↵ lines')
  const state = after({ type: 'event', event: said(3, bea, 'evil \u001b]0;title\u0007\u001b[31m') })
  expect(shown(state).join('\n')).not.toContain('\u001b')
})

test('text is wrapped between words, long words and wide characters inside, and never beyond the width', () => {
  expect(wrap('the quick brown fox', 9)).toEqual(['the quick', 'brown fox'])
  expect(wrap('abcdefgh ij', 4)).toEqual(['abcd', 'efgh', 'ij'])
  expect(wrap('咖啡咖啡', 5)).toEqual(['咖啡', '咖啡'])
  expect(wrap('a\n\nb', 10)).toEqual(['a', '', 'b'])
  for (const line of wrap('👩‍👩‍👧‍👦 family 咖啡 and a_very_long_word_indeed', 7))
    expect(widthOf(line)).toBeLessThanOrEqual(7)
  expect(fit('Kaffeeklatsch', 7)).toBe('Kaffee…')
})

test('the editor moves and erases by what a reader takes for a character', () => {
  const run = (...edits: readonly Edit[]): Draft => edits.reduce(edit, emptyDraft)
  const insert = (text: string): Edit => ({ kind: 'insert', text })
  expect(run(insert('a👩‍👩‍👧‍👦'), { kind: 'erase', what: 'before' })).toEqual({ text: 'a', at: 1 })
  expect(run(insert('one two'), { kind: 'erase', what: 'word' })).toEqual({ text: 'one ', at: 4 })
  expect(run(insert('one\ntwo'), { kind: 'move-line', by: -1 }, insert('!'))).toEqual({
    text: 'one!\ntwo',
    at: 4,
  })
  expect(run(insert('one\ntwo'), { kind: 'erase', what: 'to-start' })).toEqual({ text: 'one\n', at: 4 })
  expect(run(insert('ab'), { kind: 'move', to: 'left' }, insert('x'))).toEqual({ text: 'axb', at: 2 })
})

test('events and pages make one timeline, each once, whatever came first', () => {
  const live = [said(3, bea, 'three'), said(4, bea, 'four')].map(
    (event): Action => ({ type: 'event', event }),
  )
  const page: Action = {
    type: 'page',
    subject: ROOM,
    from: 1,
    first: 1,
    events: [1, 2, 3].map((n) => said(n, bea, `${n}`)),
  }
  const [rooms] = begun
  const early = [rooms!, ...live, page].reduce(reduce, initialState(ada))
  expect(roomOf(early).loaded?.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  const late = [rooms!, page, ...live, page].reduce(reduce, initialState(ada))
  expect(roomOf(late).loaded?.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
})

test('unread is the last message less what was seen: looked at, or written oneself', () => {
  const elsewhere = after({ type: 'event', event: said(3, bea, 'new') })
  expect(unreadOf(roomOf(elsewhere))).toBe(1)
  const looked = reduce(elsewhere, { type: 'look', subject: ROOM })
  expect(unreadOf(roomOf(looked))).toBe(0)
  expect(shown(looked).join('\n')).toMatch(/new \n.*Bea {2}new/)
  const watching = reduce(looked, { type: 'event', event: said(4, bea, 'and this') })
  expect(unreadOf(roomOf(watching))).toBe(0)
  expect(unreadOf(roomOf(after({ type: 'event', event: said(3, ada, 'mine') })))).toBe(0)
})

test('a message is waiting, sending, then in the room once; refused, it says why and what to do', () => {
  const id = said(3, ada, '').causationid
  const message = { id, room: ROOM, text: 'hot coffee', at: NOW, state: 'waiting' as const }
  const outbox = (state: 'queued' | 'sent'): Action => ({
    type: 'outbox',
    outbox: [{ id, type: 'chat.message.send.v1', subject: ROOM, data: {}, at: NOW, state }],
  })
  const written = after({ type: 'written', message })
  expect(shown(written).join('\n')).toContain('hot coffee  … waiting')
  const sent = reduce(written, outbox('sent'))
  expect(shown(sent).join('\n')).toContain('hot coffee  … sending')
  // The ack may come before the event: it does not blink.
  const acked = reduce(sent, { type: 'outbox', outbox: [] })
  expect(shown(acked).join('\n')).toContain('hot coffee')
  const arrived = reduce(acked, { type: 'event', event: said(3, ada, 'hot coffee') })
  expect(arrived.sending).toEqual([])
  expect(shown(arrived).filter((line) => line.includes('hot coffee'))).toHaveLength(1)
  const refused = reduce(acked, { type: 'refused', id, reason: 'You are not in this room.' })
  expect(shown(refused).join('\n')).toMatch(/✗ Not sent\. You are not in this room\.\s+\/retry or \/discard/)
})

test('every row fits, and there are as many as the terminal has, at any size', () => {
  const state = after(
    { type: 'event', event: said(3, bea, `${'wide 咖啡 '.repeat(40)}${'x'.repeat(300)}`) },
    { type: 'typing', room: ROOM, users: [bea.id] },
  )
  const drafts = new Map([[ROOM, { text: 'draft '.repeat(50), at: 7 }]])
  for (const columns of [12, 40, 64, 80, 120, 200]) {
    for (const rows of [8, 24, 60]) {
      const screen = screenOf(state, { ...view, drafts }, { columns, rows }, NOW)
      const { main, rooms, members, mainAt, membersAt, cursor } = screen
      expect(main).toHaveLength(rows)
      const end = members ? membersAt : columns
      for (const row of main) expect(mainAt + widthOf(plain(row))).toBeLessThanOrEqual(end)
      for (const row of rooms ?? []) expect(widthOf(plain(row))).toBeLessThanOrEqual(mainAt)
      for (const row of members ?? []) expect(membersAt + widthOf(plain(row))).toBeLessThanOrEqual(columns)
      expect(cursor.column).toBeLessThan(columns)
      expect(cursor.row).toBeLessThan(rows)
    }
  }
})

test('who scrolled back stays on the same line when more comes above or below', () => {
  const older = Array.from({ length: 30 }, (_, n) => said(n + 41, bea, `said ${n + 41}`, n + 41, n * 10))
  const page = (from: number, events: readonly StreamEvent[]): Action => ({
    type: 'page',
    subject: ROOM,
    from,
    first: 1,
    events,
  })
  const state = [begun[0]!, begun[1]!, page(41, older)].reduce(reduce, initialState(ada))
  const bottom = { key: '55', row: 0 }
  const before = shown(state, { bottom })
  expect(before.slice(2, -3).findLast((line) => line !== '')).toContain('said 55')
  const above = Array.from({ length: 20 }, (_, n) =>
    said(n + 21, bea, `said ${n + 21}`, n + 21, -600 + n * 10),
  )
  const more = [page(21, above), { type: 'event', event: said(71, bea, 'below') } as const].reduce(
    reduce,
    state,
  )
  expect(shown(more, { bottom }).slice(2, -3)).toEqual(before.slice(2, -3))
  expect(shown(more, { bottom }).at(-3)).toContain('below')
})

test('piped, an event is one line', () => {
  const people = new Map([[bea.id, bea]])
  expect(lineOf(said(3, bea, 'two\nlines'), people)).toBe('2026-01-02T10:00:00 Bea: two ↵ lines')
  expect(lineOf(event(4, bea, 'chat.member.joined.v1', { user: bea.id }), people)).toBe(
    '2026-01-02T10:00:00 * Bea joined',
  )
  expect(lineOf(event(5, bea, 'chat.later.v9', {}), people)).toBeUndefined()
})
