import { type Backoff, KlatschError, type RetryPolicy, retryPolicySchema } from '@klatsch/contracts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { delayMs } from './backoff.ts'
import { databaseFault } from './database-fault.ts'
import { faultOf, PassingFault } from './fault.ts'
import { policySwitch, usualPolicy, verdictOf } from './policy.ts'

const curve = fc
  .tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 100_000 }))
  .map(([a, b]) => ({ baseMs: Math.min(a, b), capMs: Math.max(a, b) }))
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const attempt = fc.integer({ min: 1, max: 1_000 })

describe('backoff', () => {
  test('fixed is always the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), attempt, chance, (ms, n, random) => {
        expect(delayMs({ kind: 'fixed', ms }, n, 0, () => random)).toBe(ms)
      }),
    )
  })

  test('exponential begins at its base, doubles, and stays at its cap', () => {
    fc.assert(
      fc.property(curve, attempt, (shape, n) => {
        const wait = (at: number) => delayMs({ kind: 'exponential', ...shape }, at, 0, Math.random)
        expect(wait(1)).toBe(shape.baseMs)
        expect(wait(n + 1)).toBe(Math.min(shape.capMs, 2 * wait(n)))
      }),
    )
  })

  test('full jitter is anything up to the exponential curve, and nothing above', () => {
    fc.assert(
      fc.property(curve, attempt, chance, (shape, n, random) => {
        const top = delayMs({ kind: 'exponential', ...shape }, n, 0, Math.random)
        const wait = (r: number) => delayMs({ kind: 'full-jitter', ...shape }, n, 0, () => r)
        expect(wait(random)).toBe(Math.round(random * top))
        expect(wait(0)).toBe(0)
      }),
    )
  })

  test('decorrelated jitter stays between base and cap, and grows threefold at most', () => {
    fc.assert(
      fc.property(curve, fc.array(chance, { maxLength: 50 }), (shape, randoms) => {
        const backoff: Backoff = { kind: 'decorrelated-jitter', ...shape }
        let previous = 0
        for (const [i, random] of randoms.entries()) {
          const wait = delayMs(backoff, i + 1, previous, () => random)
          expect(wait).toBeGreaterThanOrEqual(shape.baseMs)
          expect(wait).toBeLessThanOrEqual(shape.capMs)
          expect(wait).toBeLessThanOrEqual(3 * Math.max(previous, shape.baseMs))
          previous = wait
        }
      }),
    )
  })
})

describe('what a failure leads to', () => {
  const backoff: Backoff = { kind: 'fixed', ms: 1 }
  const policy = fc.oneof(
    fc.record({ kind: fc.constant('block' as const), backoff: fc.constant(backoff), ownAttempts: attempt }),
    fc.record({
      kind: fc.constantFrom('park' as const, 'skip' as const, 'tiers' as const),
      backoff: fc.constant(backoff),
      ownAttempts: attempt,
      passingAttempts: fc.oneof(attempt, fc.constant('forever' as const)),
    }),
  )

  test('one record is given up on after exactly as many attempts as its policy has for the kind of fault', () => {
    fc.assert(
      fc.property(policy, fc.constantFrom('own' as const, 'passing' as const), (of, fault) => {
        const limit = fault === 'own' ? of.ownAttempts : of.kind === 'block' ? 'forever' : of.passingAttempts
        const verdict = (n: number) => verdictOf(of, fault, { own: 0, passing: 0, [fault]: n }, 1)
        if (limit === 'forever') expect(verdict(1_000_000)).toBe('again')
        else {
          if (limit > 1) expect(verdict(limit - 1)).toBe('again')
          expect(verdict(limit)).toBe('give-up')
        }
      }),
    )
  })

  test('many records are never given up on together', () => {
    fc.assert(
      fc.property(
        policy,
        fc.constantFrom('own' as const, 'passing' as const),
        attempt,
        fc.integer({ min: 2, max: 500 }),
        (of, fault, n, count) => {
          expect(verdictOf(of, fault, { own: n, passing: n }, count)).not.toBe('give-up')
        },
      ),
    )
  })

  test('attempts of one kind of fault do not count for the other', () => {
    const park: RetryPolicy = { kind: 'park', backoff, ownAttempts: 2, passingAttempts: 5 }
    expect(verdictOf(park, 'own', { own: 1, passing: 4 }, 1)).toBe('again')
    expect(verdictOf(park, 'passing', { own: 1, passing: 5 }, 1)).toBe('give-up')
  })
})

test('a policy is data, and what is none is refused', () => {
  expect(retryPolicySchema.parse(JSON.parse(JSON.stringify(usualPolicy)))).toEqual(usualPolicy)
  expect(retryPolicySchema.safeParse({ ...usualPolicy, passingAttempts: 3 }).success).toBe(false)
  expect(retryPolicySchema.safeParse({ ...usualPolicy, ownAttempts: 0 }).success).toBe(false)
})

test('a switch goes to what is allowed and to nothing else', () => {
  const skip: RetryPolicy = { ...usualPolicy, kind: 'skip', passingAttempts: 3 }
  const policy = policySwitch(usualPolicy, ['block', 'skip'])
  policy.set(skip)
  expect(policy.current).toBe(skip)
  expect(() => policy.set({ ...skip, kind: 'park' })).toThrow('may block, skip, not park')
  expect(policy.current).toBe(skip)
  expect(() => policySwitch(skip, ['block'])).toThrow('may block, not skip')
})

describe('faults are sorted by type and code', () => {
  const coded = (code: string, message: string) => Object.assign(new Error(message), { code })
  test.each([
    [new PassingFault('x'), 'passing', 'passing'],
    [new PassingFault('x', { cause: coded('57P01', 'terminating') }), 'passing', '57P01'],
    [new KlatschError('server.unavailable'), 'passing', 'server.unavailable'],
    [new KlatschError('server.overloaded'), 'passing', 'server.overloaded'],
    [new KlatschError('server.timeout'), 'passing', 'server.timeout'],
    [new KlatschError('command.invalid'), 'own', 'command.invalid'],
    [new KlatschError('server.internal'), 'own', 'server.internal'],
    [coded('ECONNREFUSED', ''), 'passing', 'ECONNREFUSED'],
    [coded('40P01', ''), 'passing', '40P01'],
    [coded('55P03', ''), 'passing', '55P03'],
    [coded('22P05', ''), 'own', '22P05'],
    [coded('23514', ''), 'own', '23514'],
    [coded('ERR_ASSERTION', ''), 'own', 'ERR_ASSERTION'],
    [new TypeError('undefined is not a function'), 'own', 'TypeError'],
    ['a text', 'own', 'unknown'],
  ])('%s', (error, kind, code) => {
    expect(faultOf(error)).toEqual({ kind, code })
  })

  test.each([
    ['22P05', 'own'],
    ['23514', 'own'],
    ['23505', 'passing'],
    ['40P01', 'passing'],
    ['42P01', 'passing'],
    ['57P01', 'passing'],
  ])('a database error %s is %s', (code, kind) => {
    const error = databaseFault(Object.assign(coded(code, ''), { severity: 'ERROR' }))
    expect(faultOf(error)).toEqual({ kind, code })
  })

  test('a database that does not answer passes, and what is refused by a breaker stays as it is', () => {
    expect(faultOf(databaseFault(new Error('Connection terminated unexpectedly'))).kind).toBe('passing')
    expect(faultOf(databaseFault(coded('ECONNREFUSED', '')))).toEqual({
      kind: 'passing',
      code: 'ECONNREFUSED',
    })
    const refused = new KlatschError('server.unavailable', undefined, { retryAfterMs: 70 })
    expect(databaseFault(refused)).toBe(refused)
  })

  test('and never by words', () => {
    const words = 'connection refused: deadlock detected, timeout, server.unavailable, 57P01 ECONNREFUSED'
    expect(faultOf(new Error(words)).kind).toBe('own')
    expect(faultOf(coded('22P02', words)).kind).toBe('own')
  })
})
