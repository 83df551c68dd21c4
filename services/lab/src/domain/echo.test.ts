import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applied, type EchoRoom, emptyRoom, missingIn } from './echo.ts'

const through = (seqs: readonly number[]): EchoRoom =>
  seqs.reduce<EchoRoom>(
    (room, seq) => applied(room, { room: 'room:a', seq, text: `text ${seq}` }),
    emptyRoom('room:a'),
  )

test('in order: everything is counted once, nothing is late or missing', () => {
  const room = through([1, 2, 3, 4])
  expect(room).toMatchObject({ messages: 4, lastText: 'text 4', late: 0, seen: [[1, 5]] })
  expect(missingIn(room)).toBe(0)
})

test('an event that is no message counts for the order, and changes neither count nor text', () => {
  const room = applied(through([1, 2]), { room: 'room:a', seq: 3, text: undefined })
  expect(room).toMatchObject({ messages: 2, lastText: 'text 2', seen: [[1, 4]] })
})

test('what comes late is counted, and its text is the last one', () => {
  const room = through([1, 3, 4, 2])
  expect(room).toMatchObject({ messages: 4, lastText: 'text 2', late: 1, seen: [[1, 5]] })
  expect(missingIn(through([1, 3, 4]))).toBe(1)
})

test('in any order and however often: each event counts once, and the gaps are what did not come', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 100 }), (seqs) => {
      const room = through(seqs)
      const unique = [...new Set(seqs)]
      const sorted = unique.toSorted((a, b) => a - b)
      expect(room.messages).toBe(unique.length)
      expect(
        room.seen.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i)),
      ).toEqual(sorted)
      for (const [i, [from]] of room.seen.entries())
        if (i > 0) expect(from).toBeGreaterThan(room.seen[i - 1]![1])
      expect(missingIn(room)).toBe(sorted.length === 0 ? 0 : sorted.at(-1)! - sorted[0]! + 1 - sorted.length)
      const late = unique.filter((seq, i) => unique.slice(0, i).some((before) => before > seq))
      expect(room.late).toBe(late.length)
      expect(seqs.reduce((again, seq) => applied(again, { room: 'room:a', seq, text: 'x' }), room)).toBe(room)
    }),
  )
})
