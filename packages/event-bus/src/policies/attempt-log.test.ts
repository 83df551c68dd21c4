import { type Attempt, attemptSchema, headers, KlatschError, topics } from '@klatsch/contracts'
import { simulatedScheduler } from '@klatsch/streams/simulation'
import { expect, test } from 'vitest'
import type { OutgoingRecord, Publisher } from '../types.ts'
import { attemptLog } from './attempt-log.ts'

const failed = (offset: number): Attempt => ({
  kind: 'failed',
  time: '2026-01-01T00:00:00.000Z',
  group: 'g',
  topic: 't',
  partition: 0,
  offset: String(offset),
  key: `key ${offset % 3}`,
  records: 1,
  policy: 'block',
  attempt: 1,
  fault: 'own',
  code: 'command.invalid',
})

/** A publisher that refuses while `away`. */
function log() {
  const world = simulatedScheduler(1)
  const told: OutgoingRecord[] = []
  const state = { away: false, calls: 0 }
  const publisher: Publisher = {
    queued: 0,
    async publish(records) {
      state.calls++
      if (state.away) throw new KlatschError('server.unavailable')
      told.push(...records)
    },
    async close() {},
  }
  const attempts = () => told.map((record) => attemptSchema.parse(JSON.parse(String(record.value))))
  return { world, told, state, publisher, attempts }
}

test('what is noted is told under the key of its record, in order, many at a time', async () => {
  const { world, told, state, publisher, attempts } = log()
  const one = attemptLog(publisher, { scheduler: world })
  for (let i = 0; i < 10; i++) one.note(failed(i))
  await world.runFor(10)
  expect(state.calls).toBe(1)
  expect(attempts()).toEqual(Array.from({ length: 10 }, (_, i) => failed(i)))
  expect(told[4]).toMatchObject({
    topic: topics.attempts.name,
    key: 'key 1',
    headers: { [headers.type]: 'lab.attempt.failed.v1' },
  })
})

test('while the log is away it keeps as many as it may, drops the rest, and tells how many those were', async () => {
  const { world, state, publisher, attempts } = log()
  const one = attemptLog(publisher, { scheduler: world, maxWaiting: 5 })
  state.away = true
  for (let i = 0; i < 12; i++) one.note(failed(i))
  await world.runFor(3_500)
  for (let i = 12; i < 14; i++) one.note(failed(i))
  expect(one.dropped).toBe(9)
  expect(state.calls).toBeLessThan(6)
  state.away = false
  await world.runFor(2_000)
  expect(attempts()).toEqual([
    ...Array.from({ length: 5 }, (_, i) => failed(i)),
    expect.objectContaining({ kind: 'dropped', group: 'g', count: 9 }),
  ])
  one.note(failed(20))
  await world.runFor(10)
  expect(attempts().slice(6)).toEqual([failed(20)])
})

test('closing tells what waits, or gives up on it', async () => {
  const { world, state, publisher, attempts } = log()
  const one = attemptLog(publisher, { scheduler: world })
  one.note(failed(1))
  await one.close()
  expect(attempts()).toEqual([failed(1)])
  const other = attemptLog(publisher, { scheduler: world })
  state.away = true
  other.note(failed(2))
  await world.runFor(500)
  const calls = state.calls
  await other.close()
  expect(state.calls - calls).toBe(1)
})
