import { expect, test } from 'vitest'
import { connection } from './connection.ts'

function listened() {
  const skips: string[] = []
  const line = connection(({ room, after, seq }, how) => skips.push(`${room} ${after} ${seq}: ${how}`))
  const told = (...seqs: number[]) => {
    for (const seq of seqs) line.told({ room: 'a', seq, actor: 'ada', command: `${seq}` })
  }
  return { line, told, skips }
}

test('[D5] what goes on from the cursor without a hole is fine, and so is what comes again', () => {
  const { line, told, skips } = listened()
  line.after('a', 3)
  told(4, 5, 6)
  line.live('a', 6)
  told(7, 6, 7, 8)
  expect(skips).toEqual([])
})

test('[D5] a hole is noted, once, at the cursor or later', () => {
  const { line, told, skips } = listened()
  line.after('a', 3)
  told(5, 6, 9, 10)
  expect(skips).toEqual(['a 3 5: of 5', 'a 6 9: of 9'])
})

test('[W4] live says that all up to there was told; a reset, that it was not', () => {
  const { line, told, skips } = listened()
  line.after('a', 3)
  line.live('a', 4)
  expect(skips).toEqual(['a 3 4: that nothing is missing up to 4'])
  line.after('a', 2_000)
  line.live('a', 2_000)
  told(2_001)
  expect(skips).toHaveLength(1)
})

test('rooms that nobody asked for are no matter', () => {
  const { line, told, skips } = listened()
  told(7)
  line.live('a', 9)
  expect(skips).toEqual([])
})
