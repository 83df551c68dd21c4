import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readClientFrame } from './client-frame.ts'
import { originAllowed } from './origin.ts'
import { fullBucket, takeToken } from './token-bucket.ts'

test('[W7] what is not JSON or has no type is garbage; a known frame of the wrong form is not', () => {
  for (const text of ['', 'x', '1', 'null', '[]', '{}', '{"type":1}'])
    expect(readClientFrame(text).kind).toBe('garbage')
  expect(readClientFrame('{"type":"dance"}')).toEqual({ kind: 'unknown', type: 'dance' })
  expect(readClientFrame('{"type":"command","id":"nope"}')).toMatchObject({ kind: 'malformed', id: 'nope' })
  expect(readClientFrame(`{"type":"ping","cursors":${'['.repeat(100)}${']'.repeat(100)}}`)).toMatchObject({
    kind: 'malformed',
    detail: 'nested too deeply',
  })
  expect(readClientFrame('{"type":"ping","later":true}')).toEqual({ kind: 'frame', frame: { type: 'ping' } })
})

test('reading a frame never throws, whatever comes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.jsonValue().map((value) => JSON.stringify({ type: 'hello', ...Object(value) })),
      ),
      (text) => {
        readClientFrame(text)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('[W1] pages of this host and of allowed origins may connect, and clients without an origin', () => {
  expect(originAllowed(undefined, 'chat.example', [])).toBe(true)
  expect(originAllowed('https://chat.example', 'chat.example', [])).toBe(true)
  expect(originAllowed('https://evil.example', 'chat.example', [])).toBe(false)
  expect(originAllowed('https://app.example', 'chat.example', ['https://app.example'])).toBe(true)
  expect(originAllowed('null', 'chat.example', [])).toBe(false)
})

test('a bucket never gives more than its burst plus its rate', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }), (waits) => {
      const rate = { perSecond: 10, burst: 5 }
      let now = 1_000
      const bucket = fullBucket(rate, now)
      let taken = 0
      for (const wait of waits) {
        now += wait
        if (takeToken(bucket, rate, now) === 0) taken += 1
      }
      expect(taken).toBeLessThanOrEqual(5 + ((now - 1_000) / 1_000) * 10)
    }),
  )
})
