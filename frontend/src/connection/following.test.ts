import { expect, test } from 'vitest'
import { initialState } from '../state/state.ts'
import { createStore } from '../state/store.ts'
import { ME, uuid } from '../state/testing.ts'
import { keepFollowing } from './following.ts'

function follower() {
  const store = createStore(initialState(ME, {}), (task) => task())
  const modes = new Map<string, string | undefined>()
  const following = keepFollowing(store, { follow: (subject, how) => modes.set(subject, how?.mode) })
  const rooms = (count: number, member = true) =>
    store.dispatch({
      type: 'rooms',
      rooms: Array.from({ length: count }, (_, n) => ({
        id: `${n}`,
        name: `Room ${n}`,
        topic: '',
        visibility: 'public' as const,
        memberCount: 1,
        member,
      })),
    })
  const full = () => [...modes].filter(([, mode]) => mode === 'full').map(([subject]) => subject)
  return { store, following, rooms, full, modes }
}

test('[W8] the last few rooms that were looked at are followed in full, the others by digests', () => {
  const { following, rooms, full, modes } = follower()
  rooms(8)
  for (const n of [0, 1, 2, 3, 4, 1]) following.look(`room:${n}`)
  expect(full()).toEqual(['room:1', 'room:2', 'room:3', 'room:4'])
  expect(modes.get('room:0')).toBe('digest')
  expect(modes.has('room:5')).toBe(false)
})

test('a room that one is not in is followed as soon as one is', () => {
  const { following, rooms, full } = follower()
  rooms(2, false)
  following.look('room:1')
  expect(full()).toEqual([])
  rooms(2)
  expect(full()).toEqual(['room:1'])
})

test('a room that one left and joined again is followed again', () => {
  const { following, rooms, full, modes } = follower()
  rooms(1)
  following.look('room:0')
  modes.clear()
  following.lost('room:0')
  expect(full()).toEqual(['room:0'])
})

test('a room to which a message is on its way is followed in full until its event is here', () => {
  const { store, following, rooms, full } = follower()
  rooms(8)
  following.look('room:0')
  const command = {
    id: uuid(70),
    type: 'chat.message.send.v1',
    subject: 'room:0',
    data: { text: 'on its way' },
    at: 0,
    state: 'sent',
  } as const
  store.dispatch({ type: 'outbox', outbox: [command] })
  for (const n of [1, 2, 3, 4, 5]) following.look(`room:${n}`)
  expect(full()).toContain('room:0')
  store.dispatch({ type: 'rejected', command, code: 'room.not_a_member', detail: '' })
  expect(full()).not.toContain('room:0')
})
