import { expect, test } from 'vitest'
import type { Read } from '../judge/history.ts'
import { withoutRepeats } from './log.ts'

const read = (seq: number, chain = `chain ${seq}`) => ({ room: 'a', seq, id: `event ${seq}`, chain }) as Read

test('repetitions are dropped, and what was decided twice is not one', () => {
  const reads = [read(1), read(2), read(1), read(2), read(2, 'another'), read(3)]
  expect(withoutRepeats(reads).map(({ seq, chain }) => `${seq} ${chain}`)).toEqual([
    '1 chain 1',
    '2 chain 2',
    '2 another',
    '3 chain 3',
  ])
})
