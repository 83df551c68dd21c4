import { expect, test } from 'vitest'
import { admit, afterFailure, type BreakerState, circuitBreaker, closedBreaker } from './breaker.ts'

const settings = { failures: 3, baseMs: 100, capMs: 1_000, trialMs: 5_000 }

function made() {
  const time = { now: 0 }
  const told: string[] = []
  const moved = (away: boolean, why?: unknown) => told.push(away ? `away: ${(why as Error).message}` : 'back')
  const breaker = circuitBreaker('it', { now: () => time.now, random: () => 0, settings, moved })
  const fail = () => breaker.run(() => Promise.reject(new Error('no'))).catch((error: unknown) => error)
  const succeed = () => breaker.run(() => Promise.resolve('yes'))
  return { time, breaker, told, fail, succeed }
}

test('it opens after so many failures in a row, and not before', async () => {
  const { breaker, fail, succeed } = made()
  await fail()
  await fail()
  await succeed()
  await fail()
  await fail()
  expect(breaker.state).toEqual({ kind: 'closed', failures: 2 })
  await fail()
  expect(breaker.state).toEqual({ kind: 'open', until: 100, waitMs: 100 })
})

test('open, it lets nothing through and says how long to wait; then one call at a time', async () => {
  const { time, breaker, fail, succeed } = made()
  for (let i = 0; i < 3; i++) await fail()
  time.now = 40
  let called = false
  const refused = breaker.run(async () => {
    called = true
  })
  await expect(refused).rejects.toMatchObject({ code: 'server.unavailable', retryAfterMs: 60 })
  expect(called).toBe(false)
  time.now = 100
  const { promise, resolve } = Promise.withResolvers<void>()
  const trial = breaker.run(() => promise)
  await expect(succeed()).rejects.toMatchObject({ code: 'server.unavailable', retryAfterMs: 5_000 })
  resolve()
  await trial
  expect(breaker.state).toBe(closedBreaker)
  expect(await succeed()).toBe('yes')
})

test('each trial that fails doubles the wait, up to the cap', async () => {
  const { time, breaker, fail } = made()
  for (let i = 0; i < 3; i++) await fail()
  const waits: number[] = []
  for (let i = 0; i < 6; i++) {
    const { state } = breaker
    if (state.kind === 'open') {
      waits.push(state.until - time.now)
      time.now = state.until
    }
    await fail()
  }
  expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000])
})

test('chance shortens a wait by half at most', () => {
  const trying: BreakerState = { kind: 'trying', until: 9_999, waitMs: 200 }
  expect(afterFailure(trying, 1_000, 0, settings)).toMatchObject({ until: 1_400 })
  expect(afterFailure(trying, 1_000, 0.999, settings)).toMatchObject({ until: 1_200 })
})

test('a trial whose answer does not come does not keep it shut for ever', () => {
  const trying: BreakerState = { kind: 'trying', until: 5_000, waitMs: 100 }
  expect(admit(trying, 4_999, settings)).toEqual({ retryAfterMs: 1 })
  expect(admit(trying, 5_000, settings)).toEqual({ state: { ...trying, until: 10_000 } })
})

test('what began before it opened changes nothing when it fails late, and closes it when it succeeds', async () => {
  const { breaker, fail } = made()
  const [good, bad] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const late = [breaker.run(() => good.promise), breaker.run(() => bad.promise).catch(() => {})]
  for (let i = 0; i < 3; i++) await fail()
  const open = breaker.state
  bad.reject(new Error('late'))
  await late[1]
  expect(breaker.state).toBe(open)
  good.resolve()
  await late[0]
  expect(breaker.state).toBe(closedBreaker)
})

test('it tells once that what it stands before is away, and once that it is back', async () => {
  const { time, told, fail, succeed } = made()
  for (let i = 0; i < 9; i++) await fail()
  time.now = 100
  await fail()
  expect(told).toEqual(['away: no'])
  time.now = 10_000
  await succeed()
  await succeed()
  expect(told).toEqual(['away: no', 'back'])
})
