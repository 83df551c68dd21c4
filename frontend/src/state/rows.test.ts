import { describe, expect, it } from 'vitest'
import type { Entry, MessageEntry } from './entry.ts'
import { type Row, rowsOf, sameRow } from './rows.ts'

const NOON = new Date(2026, 2, 3, 12).getTime()
const MINUTE = 60_000

const message = (seq: number, author: string, at: number): MessageEntry => ({
  kind: 'message',
  seq,
  id: `e${seq}`,
  key: `k${seq}`,
  at,
  author,
  text: `${seq}`,
  messageNo: seq,
})
const joined = (seq: number, at: number): Entry => ({
  kind: 'joined',
  seq,
  id: `e${seq}`,
  key: `k${seq}`,
  at,
  user: `u${seq}`,
})

const rows = (entries: readonly Entry[], newAfter?: number) =>
  rowsOf({ me: 'me', entries, sending: [], newAfter })
const sketch = (list: readonly Row[]) =>
  list.map((row) =>
    row.kind === 'group'
      ? `${row.author}: ${row.messages.map((one) => one.text).join(' ')}`
      : row.kind === 'quiet'
        ? `quiet ${row.entries.length}`
        : row.kind,
  )

describe('a timeline', () => {
  it('puts messages of one author close in time under one name', () => {
    const entries = [
      message(1, 'a', NOON),
      message(2, 'a', NOON + MINUTE),
      message(3, 'b', NOON + 2 * MINUTE),
      message(4, 'b', NOON + 8 * MINUTE),
    ]
    expect(sketch(rows(entries))).toEqual(['day', 'a: 1 2', 'b: 3', 'b: 4'])
  })

  it('begins each day with its name', () => {
    const entries = [message(1, 'a', NOON), message(2, 'a', NOON + 24 * 60 * MINUTE)]
    expect(sketch(rows(entries))).toEqual(['day', 'a: 1', 'day', 'a: 2'])
  })

  it('gathers who came and went into one line, and lets a message end it', () => {
    const entries = [
      joined(1, NOON),
      joined(2, NOON),
      message(3, 'a', NOON),
      joined(4, NOON),
      message(5, 'a', NOON),
    ]
    expect(sketch(rows(entries))).toEqual(['day', 'quiet 2', 'a: 3', 'quiet 1', 'a: 5'])
  })

  it('draws the line above the first new message of another, not above one’s own', () => {
    const entries = [message(1, 'a', NOON), message(2, 'me', NOON), message(3, 'a', NOON)]
    expect(sketch(rows(entries, 1))).toEqual(['day', 'a: 1', 'me: 2', 'new', 'a: 3'])
    expect(sketch(rows(entries, 3))).toEqual(['day', 'a: 1', 'me: 2', 'a: 3'])
  })

  it('does not change the rows that did not change', () => {
    const entries = [message(1, 'a', NOON), message(2, 'b', NOON)]
    const before = rows(entries)
    const after = rows([...entries, message(3, 'b', NOON)])
    expect(before.map((row, i) => sameRow(row, after[i]!))).toEqual([true, true, false])
  })
})
