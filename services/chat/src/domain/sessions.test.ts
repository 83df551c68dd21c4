import { describe, expect, test } from 'vitest'
import { decideRefresh, type RefreshToken, type SessionState } from './sessions.ts'

const now = new Date('2026-01-01T12:00:00Z')
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1_000)
const fresh: RefreshToken = { usedAt: null, exchangeKey: null, successorUsed: false }
const live: SessionState = { expiresAt: ago(-1_000), revokedAt: null }
const used = (over: Partial<RefreshToken> = {}): RefreshToken => ({
  usedAt: ago(5),
  exchangeKey: 'k1',
  successorUsed: false,
  ...over,
})
const reused = { kind: 'refuse', code: 'auth.refresh_reused', revoke: true }

describe('[H3] a refresh token', () => {
  test('is good once', () => {
    expect(decideRefresh(fresh, live, undefined, now)).toEqual({ kind: 'exchange' })
  })
  test('used again ends the session, however soon', () => {
    expect(decideRefresh(used(), live, undefined, now)).toEqual(reused)
    expect(decideRefresh(used(), live, 'k2', now)).toEqual(reused)
    expect(decideRefresh(used({ exchangeKey: null }), live, undefined, now)).toEqual(reused)
  })
  test('[H1] of a request that is repeated under its key is answered again', () => {
    expect(decideRefresh(used(), live, 'k1', now)).toEqual({ kind: 'repeat' })
  })
  test.each([
    ['the answer had arrived', used({ successorUsed: true }), live],
    ['it was long ago', used({ usedAt: ago(61) }), live],
    ['the session is over', used(), { ...live, revokedAt: ago(1) }],
  ])('repeated under its key is refused when %s', (_why, token, session) => {
    expect(decideRefresh(token, session, 'k1', now)).toEqual(reused)
  })
  test('ends with its session', () => {
    expect(decideRefresh(fresh, { ...live, expiresAt: now }, undefined, now)).toMatchObject({
      code: 'auth.expired',
    })
    expect(decideRefresh(fresh, { ...live, revokedAt: ago(1) }, undefined, now)).toMatchObject({
      code: 'auth.invalid_token',
      revoke: false,
    })
  })
})
