import { knownEvent, streamEventSchema, verifyEvent } from '@klatsch/contracts'
import { expect, it } from 'vitest'
import { makeEvent } from './events.ts'

const actor = 'user:0b0c7f0e-5c0e-4d0e-8f3e-2f8a3c1d9e77'
const time = '2026-01-01T00:00:00.000Z'

it('makes events that follow upon one another and prove themselves', () => {
  const first = makeEvent({ subject: 'room:a', seq: 7, chain: 'before' }, actor, 'hello', time)
  const second = makeEvent(first, actor, 'again', time)
  const [one, two] = [first, second].map(({ value }) => streamEventSchema.parse(JSON.parse(value.toString())))
  expect([one!.seq, two!.seq]).toEqual([8, 9])
  expect(one!.prevchain).toBe('before')
  expect(two!.prevchain).toBe(one!.chain)
  expect(verifyEvent(one!) && verifyEvent(two!)).toBe(true)
  expect(knownEvent(two!)?.data).toMatchObject({ text: 'again' })
  expect(second.headers).toMatchObject({ seq: '9', chain: two!.chain, prevchain: one!.chain })
})
