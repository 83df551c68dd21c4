import { headers, type LabFollow } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import type { LogRecord } from '../domain/record.ts'
import type { ChatQueries } from '../outbound/chat-queries.ts'
import type { ReadTopic } from '../outbound/topic-reader.ts'
import { follower } from './follow.ts'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const HOUR = 3_600_000
const BOB = 'user:00000000-0000-4000-8000-00000000000b'
const JOIN = `${hex(NOW - HOUR)}-7000-8000-000000000001`
const BY_HTTP = '00000000-0000-4000-8000-000000000002'
const JOINED = '00000000-0000-5000-8000-000000000003'
const ADD = '00000000-0000-5000-8000-000000000004'
const ADDED = '00000000-0000-5000-8000-000000000005'

/** The first half of a UUIDv7 of that time. */
function hex(time: number): string {
  const digits = time.toString(16).padStart(12, '0')
  return `${digits.slice(0, 8)}-${digits.slice(8)}`
}

function record(topic: string, key: string, at: number, id: string, more: object = {}): LogRecord {
  const body = { id, actor: 'system:chat', source: 'chat', type: 'chat.thing.v1', ...more }
  const { seq } = more as { seq?: number }
  return {
    ...{ topic, key, partition: 3, offset: String(at - NOW + 2 * HOUR), timestamp: at },
    value: Buffer.from(JSON.stringify(body)),
    headers: seq === undefined ? {} : { [headers.seq]: String(seq) },
  }
}

const at = NOW - HOUR
const joined = record('chat.events', 'room:a', at + 2, JOINED, { actor: BOB, correlationid: JOIN, seq: 4 })
const log = [
  record('chat.commands', 'room:a', at, JOIN, { actor: BOB }),
  { ...joined, headers: { ...joined.headers, [headers.causationId]: JOIN } },
  record('chat.commands', 'user:b', at + 3, ADD, { correlationid: JOIN }),
  record('chat.events', 'user:b', at + 5, ADDED, { correlationid: JOIN, seq: 1 }),
  record('chat.commands', 'room:a', NOW - 1_000, BY_HTTP, { actor: BOB }),
]

const read: ReadTopic = async ({ topic, from, to, matches, limit }) => {
  const time = (position: typeof to, otherwise: number) =>
    position?.kind === 'time' ? position.time : otherwise
  const within = log.filter(
    (each) =>
      each.topic === topic && each.timestamp >= time(from, 0) && each.timestamp < time(to, Number.MAX_VALUE),
  )
  return { records: within.filter(matches).slice(0, limit), scanned: within.length }
}
const chat: ChatQueries = { outcomes: async () => [], rows: async () => [] }
const follow = (id: string) => follower(read, chat, () => NOW)(id, undefined)
const kinds = ({ steps }: LabFollow) => steps.map(({ kind }) => kind)
const WAY = ['command', 'event', 'follow-up', 'follow-up-event']

test('a command is found around the time that its id tells, with all that came of it', async () => {
  const way = await follow(JOIN)
  expect(way).toMatchObject({ id: JOIN, actor: BOB })
  expect(way).not.toHaveProperty('askedFor')
  expect(kinds(way)).toEqual(WAY)
})

test.each([
  ['event', JOINED, 'chat.thing.v1 #4', 'chat.events', 'room:a'],
  ['follow-up', ADD, 'chat.thing.v1', 'chat.commands', 'user:b'],
  ['event', ADDED, 'chat.thing.v1 #1', 'chat.events', 'user:b'],
] as const)(
  'the id of an %s leads to the command that it came of (%s)',
  async (kind, id, what, topic, key) => {
    const way = await follow(id)
    expect(way).toMatchObject({ id: JOIN, actor: BOB, askedFor: { id, kind, what, record: { topic, key } } })
    expect(kinds(way)).toEqual(WAY)
  },
)

test('a command whose sender gave it a name that tells no time is found among the latest', async () => {
  const way = await follow(BY_HTTP)
  expect(way).toMatchObject({ id: BY_HTTP, actor: BOB })
  expect(way).not.toHaveProperty('askedFor')
  expect(kinds(way)).toEqual(['command'])
})

test('what is not there is said to be not found, and why it was not looked for everywhere', async () => {
  const nobody = '00000000-0000-5000-8000-00000000000f'
  await expect(follow(nobody)).rejects.toMatchObject({ code: 'request.not_found' })
  await expect(follow(nobody)).rejects.toThrow('no UUIDv7')
})
