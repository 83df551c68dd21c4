import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { actor } from '../../test/commands.ts'
import type { NewEvent } from './decision.ts'
import { decideUser, evolveUser, noUser, type UserCommand } from './user-stream.ts'

const ROOM = 'room:kitchen'

function followUp(kind: 'add' | 'remove', seq: number, over: Partial<UserCommand> = {}): UserCommand {
  return {
    specversion: '1.0',
    id: '00000000-0000-5000-8000-000000000001',
    source: 'chat',
    type: `chat.membership.${kind}.v1`,
    subject: actor('ada'),
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    actor: 'system:chat',
    data: { room: ROOM, seq },
    ...over,
  } as UserCommand
}
const added = (seq: number): NewEvent => ({ type: 'chat.membership.added.v1', data: { room: ROOM, seq } })
const removed = (seq: number): NewEvent => ({ type: 'chat.membership.removed.v1', data: { room: ROOM, seq } })
const after = (...events: NewEvent[]) => events.reduce(evolveUser, noUser)

describe("a user's own stream", () => {
  test('learns of rooms joined and left', () => {
    expect(decideUser(noUser, followUp('add', 2))).toEqual({ kind: 'accepted', events: [added(2)] })
    expect(decideUser(after(added(2)), followUp('remove', 5))).toEqual({
      kind: 'accepted',
      events: [removed(5)],
    })
  })
  test('learns of sessions that ended, from the system alone', () => {
    const data = { session: '00000000-0000-7000-8000-000000000007' }
    const end = { ...followUp('add', 1), type: 'chat.session.end.v1', data } as UserCommand
    const ended = [{ type: 'chat.session.ended.v1', data }]
    expect(decideUser(noUser, end)).toEqual({ kind: 'accepted', events: ended })
    expect(decideUser(noUser, { ...end, actor: actor('ada') })).toMatchObject({ kind: 'rejected' })
  })
  test('is not told the same twice', () => {
    expect(decideUser(after(added(2)), followUp('add', 2))).toEqual({ kind: 'accepted', events: [] })
  })
  test('does not bring back a room by an older join', () => {
    expect(decideUser(after(removed(7)), followUp('add', 5))).toEqual({ kind: 'accepted', events: [] })
  })
  test('in whatever order and however often they come, the newest is what stays', () => {
    const news = fc.array(fc.record({ seq: fc.integer({ min: 1, max: 20 }) }), { minLength: 1 })
    fc.assert(
      fc.property(news, (all) => {
        // What happened at one seq of a room is one thing.
        const kindAt = (seq: number) => (seq % 3 === 0 ? 'remove' : 'add')
        const state = all.reduce((known, { seq }) => {
          const decision = decideUser(known, followUp(kindAt(seq), seq))
          return decision.kind === 'accepted' ? decision.events.reduce(evolveUser, known) : known
        }, noUser)
        const newest = Math.max(...all.map(({ seq }) => seq))
        expect(state.rooms.get(ROOM)).toEqual({ seq: newest, member: kindAt(newest) === 'add' })
      }),
    )
  })
  test('takes nothing from people', () => {
    expect(decideUser(noUser, followUp('add', 2, { actor: actor('eve') }))).toEqual(
      expect.objectContaining({ kind: 'rejected', code: 'command.unknown' }),
    )
  })
  test('belongs to someone', () => {
    expect(decideUser(noUser, followUp('add', 2, { subject: 'user:nobody' }))).toEqual(
      expect.objectContaining({ kind: 'rejected', code: 'command.invalid' }),
    )
  })
})
