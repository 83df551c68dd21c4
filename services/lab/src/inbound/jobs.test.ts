import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NewRecord } from '../domain/redrive.ts'
import { jobRunner } from './jobs.ts'

const by = { actor: 'user:a', name: 'ada' }
const record = (n: number): NewRecord => ({
  topic: 't',
  key: 'k',
  value: Buffer.from(String(n)),
  headers: {},
})
const records = Array.from({ length: 25 }, (_, n) => record(n))

function runner() {
  const sent: string[] = []
  let broken = false
  let ids = 0
  const publisher = {
    async publish(some: readonly NewRecord[]) {
      if (broken) throw new Error('no broker')
      sent.push(...some.map(({ value }) => value.toString()))
    },
  }
  const jobs = jobRunner({ publisher, now: Date.now, newId: () => `job-${++ids}` })
  return {
    jobs,
    sent,
    breakIt() {
      broken = true
    },
  }
}
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('sends all in order, no faster than it may', async () => {
  const { jobs, sent } = runner()
  const { id } = jobs.start('replay', records, 100, by)
  await vi.advanceTimersByTimeAsync(150)
  expect(jobs.get(id)).toMatchObject({ state: 'running', total: 25, done: 20 })
  await vi.advanceTimersByTimeAsync(100)
  expect(jobs.get(id)).toMatchObject({ state: 'done', done: 25 })
  expect(sent).toEqual(records.map(({ value }) => value.toString()))
  const slow = jobs.start('replay', records, 1, by)
  await vi.advanceTimersByTimeAsync(2_500)
  expect(jobs.get(slow.id).done).toBe(3)
})

test('stops when it is told to; what is sent is sent', async () => {
  const { jobs, sent } = runner()
  const { id } = jobs.start('redrive', records, 100, by)
  await vi.advanceTimersByTimeAsync(50)
  expect(jobs.cancel(id)).toMatchObject({ state: 'cancelled', done: 10 })
  await vi.advanceTimersByTimeAsync(1_000)
  expect([sent.length, jobs.get(id).state]).toEqual([10, 'cancelled'])
  expect(() => jobs.get('nothing')).toThrow('no such job')
})

test('says why it failed, and how far it was; runs alone of its kind', async () => {
  const { jobs, breakIt } = runner()
  const { id } = jobs.start('redrive', records, 100, by)
  expect(() => jobs.start('redrive', records, 100, by)).toThrow('another redrive is running')
  await vi.advanceTimersByTimeAsync(50)
  breakIt()
  await vi.advanceTimersByTimeAsync(100)
  expect(jobs.get(id)).toMatchObject({ state: 'failed', reason: 'no broker', done: 10 })
  expect(jobs.list()).toHaveLength(1)
})
