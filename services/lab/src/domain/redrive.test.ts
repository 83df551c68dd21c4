import { deadLetterHeaders, headers } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import { letterOf, nameKey } from './letters.ts'
import type { LogRecord } from './record.ts'
import { redrivable, redriven, replayed } from './redrive.ts'

const ADA = 'user:00000000-0000-4000-8000-00000000000a'
const idOf = (n: number) => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`

function letter(partition: number, offset: number, id: number | undefined): LogRecord {
  const value = id === undefined ? 'junk' : JSON.stringify({ id: idOf(id), actor: ADA })
  return {
    topic: 'chat.commands.dlq',
    partition,
    offset: String(offset),
    key: 'room:a',
    value: Buffer.from(value),
    headers: {
      [headers.type]: 'chat.message.send.v1',
      [headers.actor]: ADA,
      [headers.replyTo]: 'gateway-1',
      [headers.requestId]: 'r7',
      [deadLetterHeaders.code]: 'Error',
    },
    timestamp: offset,
  }
}
const states = (held: number[], accepted: number[] = []) =>
  new Map([
    ...held.map((n) => [nameKey({ actor: ADA, id: idOf(n) }), 'held'] as const),
    ...accepted.map((n) => [nameKey({ actor: ADA, id: idOf(n) }), 'accepted'] as const),
  ])
const lettersOf = (records: LogRecord[], known: ReturnType<typeof states>) =>
  records.map((record) => ({ record, letter: letterOf(record, known) }))

test('what is held is sent again in the order of its partition, each command once, and nothing else', () => {
  const records = [letter(0, 10, 3), letter(0, 9, 2), letter(0, 2, 1), letter(1, 1, 4), letter(0, 11, 1)]
  const known = states([1, 2, 4], [3])
  const meant = redrivable(lettersOf([...records, letter(0, 1, undefined)], known), 100)
  expect(meant.map(({ partition, offset }) => `${partition}@${offset}`)).toEqual(['0@2', '0@9', '1@1'])
  expect(redrivable(lettersOf(records, known), 2)).toHaveLength(2)
})

test('a redriven command is the one that came, without who waited then and why it failed', () => {
  const record = letter(3, 7, 1)
  expect(redriven(record)).toEqual({
    topic: 'chat.commands',
    key: 'room:a',
    value: record.value,
    headers: {
      [headers.type]: 'chat.message.send.v1',
      [headers.actor]: ADA,
      [headers.redrive]: '3@7',
    },
  })
})

test('a replayed record says where it is from', () => {
  const record = letter(3, 7, 1)
  expect(replayed(record, 'study.copy')).toEqual({
    topic: 'study.copy',
    key: 'room:a',
    value: record.value,
    headers: { ...record.headers, [headers.replayOf]: 'chat.commands.dlq[3]@7' },
  })
})
