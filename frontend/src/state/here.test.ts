import { expect, test } from 'vitest'
import { initialState, reduce } from './state.ts'
import { ME, ROOM, uuid } from './testing.ts'

test('who is here, who is typing and how many are kept by the latest that was told', () => {
  const start = initialState(ME, {})
  const [one, two] = [uuid(2), uuid(3)]
  const state = [
    { type: 'present', user: one, presence: { state: 'online', version: 1 } },
    { type: 'present', user: two, presence: { state: 'away', version: 4 } },
    {
      type: 'present',
      user: one,
      presence: { state: 'offline', version: 2, lastSeen: '2026-01-05T09:00:00.000Z' },
    },
    { type: 'typing', room: ROOM, users: [one, two] },
    { type: 'typing', room: ROOM, users: [two] },
    { type: 'online', room: ROOM, count: 120 },
  ].reduce((now, action) => reduce(now, action as Parameters<typeof reduce>[1]), start)
  expect(state.here).toEqual({
    people: {
      [one]: { state: 'offline', version: 2, lastSeen: '2026-01-05T09:00:00.000Z' },
      [two]: { state: 'away', version: 4 },
    },
    typing: { [ROOM]: [two] },
    online: { [ROOM]: 120 },
  })
})
