import { headers } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import type { LogRecord } from './record.ts'
import { actorsOf, attemptOn, type Trace, traceOf, wayOf } from './way.ts'

const ID = '01900000-0000-7000-8000-000000000001'
const ADA = 'user:00000000-0000-4000-8000-00000000000a'
const BOB = 'user:00000000-0000-4000-8000-00000000000b'
const TRACE = '0af7651916cd43dd8448eb211c80319c'

function record(topic: string, at: number, body: object, more: Record<string, string> = {}): LogRecord {
  const value = Buffer.from(JSON.stringify(body))
  return { topic, partition: 0, offset: String(at), key: 'room:a', value, headers: more, timestamp: at }
}
const command = (at: number, actor = ADA) =>
  record(
    'chat.commands',
    at,
    { id: ID, actor, source: 'gateway/g' },
    {
      [headers.type]: 'chat.message.send.v1',
      [headers.actor]: actor,
      [headers.traceparent]: `00-${TRACE}-b7ad6b7169203331-01`,
    },
  )
const event = (at: number) =>
  record(
    'chat.events',
    at,
    { id: 'e', actor: ADA, source: 'chat', correlationid: ID },
    {
      [headers.type]: 'chat.message.sent.v1',
      [headers.seq]: '4',
      [headers.causationId]: ID,
    },
  )
const traces = (...records: LogRecord[]): Trace[] => records.flatMap((each) => traceOf(each, ID) ?? [])

test('a record is of a command by its id, its cause or its correlation; a mention in a text is not', () => {
  expect(traceOf(command(1), ID)?.kind).toBe('command')
  expect(traceOf(event(1), ID)?.kind).toBe('event')
  expect(traceOf(record('chat.commands', 1, { id: 'f', correlationid: ID }), ID)?.kind).toBe('follow-up')
  expect(traceOf(record('chat.events', 1, { id: 'f', correlationid: ID }), ID)?.kind).toBe('follow-up-event')
  expect(traceOf(record('chat.commands.dlq', 1, { id: ID }), ID)?.kind).toBe('dead-letter')
  expect(traceOf(record('chat.events', 1, { id: 'x', data: { text: ID } }), ID)).toBeUndefined()
  expect(traceOf(record('presence.events', 1, { id: ID }), ID)).toBeUndefined()
})

test('steps are in the order of their times, each with how long after the first; the trace is named', () => {
  const outcome = {
    actor: ADA,
    id: ID,
    state: 'accepted',
    seq: 4,
    time: new Date(1_005).toISOString(),
  } as const
  const way = wayOf({
    id: ID,
    actor: ADA,
    traces: traces(event(1_009), command(1_000)),
    outcome,
    rows: [],
    complete: true,
  })
  expect(way.steps.map(({ kind, afterMs, what }) => [kind, afterMs, what])).toEqual([
    ['command', 0, 'chat.message.send.v1'],
    ['decided', 5, 'accepted at #4'],
    ['event', 9, 'chat.message.sent.v1 #4'],
  ])
  expect(way).toMatchObject({ state: 'accepted', subject: 'room:a', traceIds: [TRACE] })
})

test('of two people with the same id, one is followed', () => {
  const both = traces(command(1, ADA), command(2, BOB))
  expect(actorsOf(both)).toEqual([ADA, BOB])
  const way = wayOf({ id: ID, actor: BOB, traces: both, outcome: undefined, rows: [], complete: true })
  expect(way.state).toBe('unknown')
  expect(way.steps).toHaveLength(1)
})

test('what went wrong with a record of it is a step of its way, whoever else it happened to', () => {
  const [own] = traces(command(7))
  const failed = (offset: string, records = 1) =>
    record('lab.attempts', 9, {
      kind: 'failed',
      time: new Date(9).toISOString(),
      group: 'chat',
      topic: 'chat.commands',
      partition: 0,
      offset,
      key: 'room:a',
      records,
      policy: 'block',
      attempt: 1,
      fault: 'passing',
      code: 'server.unavailable',
      delayMs: 50,
    })
  expect(attemptOn(failed('8'), [own!])).toBeUndefined()
  const attempt = attemptOn(failed('5', 3), [own!])!
  const found = { id: ID, actor: ADA, outcome: undefined, rows: [], complete: true }
  expect(wayOf({ ...found, traces: [own!, attempt] }).steps[1]).toMatchObject({
    kind: 'attempt',
    what: 'failed at attempt 1 with 2 more (block): server.unavailable, again after 50 ms',
    by: 'chat',
  })
})
