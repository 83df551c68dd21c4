import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { signalsTo } from './signals.ts'
import type { Supervised } from './supervisor.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function parts() {
  const got: string[] = []
  const part = (name: string, pid: number | undefined): Supervised => ({
    ...{ name, pid, state: { kind: 'stopped' } },
    start: async () => {},
    ready: async () => {},
    kill: (signal) => void got.push(`${name} ${signal}`),
    stop: async () => {},
  })
  const all = new Map([part('chat', 7), part('kafka', undefined)].map((each) => [each.name, each]))
  return { got, signals: signalsTo(all) }
}

test('what is frozen goes on when its time is over; frozen once more, from then', async () => {
  const { got, signals } = parts()
  expect(signals.freeze('chat', 1_000)).toBe(7)
  await vi.advanceTimersByTimeAsync(999)
  signals.freeze('chat', 1_000)
  await vi.advanceTimersByTimeAsync(999)
  expect(got).toEqual(['chat SIGSTOP', 'chat SIGSTOP'])
  await vi.advanceTimersByTimeAsync(1)
  expect(got.slice(2)).toEqual(['chat SIGCONT'])
})

test('it goes on at once when it is woken, or when all comes to an end', async () => {
  const { got, signals } = parts()
  signals.freeze('chat', 1_000)
  signals.wake('chat')
  signals.freeze('chat', 1_000)
  signals.close()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(got).toEqual(['chat SIGSTOP', 'chat SIGCONT', 'chat SIGSTOP', 'chat SIGCONT'])
})

test('who is not there, or for how long it cannot be, is said', () => {
  const { signals } = parts()
  expect(() => signals.kill('cat', 'SIGKILL')).toThrow('There is no part cat. There are: chat, kafka.')
  expect(signals.kill('kafka', 'SIGKILL')).toBeUndefined()
  expect(() => signals.freeze('chat', 0)).toThrow('an hour at most')
})
