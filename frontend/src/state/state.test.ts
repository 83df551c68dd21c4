import type { StreamEvent } from '@klatsch/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entryOf } from './entry.ts'
import type { RoomState } from './room.ts'
import { newAfter } from './selectors.ts'
import { type Action, initialState, reduce, type State, unreadOf } from './state.ts'
import { eventAt, ME, ROOM, type Step, uuid, type World, world } from './testing.ts'
import { gapOf } from './timeline.ts'

const user = fc.integer({ min: 1, max: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('join', 'leave'), user }),
  fc.record({ kind: fc.constant('say'), user, text: fc.string({ minLength: 1, maxLength: 8 }) }),
  fc.record({
    kind: fc.constant('rename'),
    user,
    name: fc.string({ minLength: 1, maxLength: 8 }),
    topic: fc.string(),
  }),
)
const history = fc.array(step, { minLength: 3, maxLength: 40 }).map(world)

const pageOf = (events: readonly StreamEvent[], from: number, to: number): Action => ({
  type: 'page',
  subject: ROOM,
  page: { from, to, entries: events.slice(from - 1, to).map(entryOf) },
})
const roomsAt = (w: World, seq: number): Action => ({ type: 'rooms', rooms: [w.snapshot(seq)] })
const membersAt = (w: World, seq: number): Action => ({
  type: 'members',
  subject: ROOM,
  joined: w.membersAt(seq),
  status: 'complete',
})
const tailAt = (w: World, seq: number) => ({
  head: seq,
  messageNo: w.snapshot(seq).lastMessageNo ?? 0,
  lastActivity: w.events[seq - 1]!.time,
})
const digestAt = (w: World, seq: number): Action => ({ type: 'digest', subject: ROOM, tail: tailAt(w, seq) })
const live = (event: StreamEvent): Action => ({ type: 'event', event })
const run = (actions: readonly Action[], state = initialState(ME, {})): State => actions.reduce(reduce, state)

/** What the person sees of a room; the time of the last event is not part of a snapshot. */
function shown(state: State): Omit<RoomState, 'lastAt'> | undefined {
  const room = state.rooms[ROOM]
  if (!room) return undefined
  const { lastAt: _, ...rest } = room
  return rest
}

/** Puts `extra` into `base` at any places, keeping the order of both. */
function interleave<T>(base: readonly T[], extra: readonly T[], places: readonly number[]): T[] {
  const result = [...base]
  const sorted = extra.map((_, i) => (places[i] ?? 0) % (base.length + 1)).sort((a, b) => a - b)
  for (const [i, item] of extra.entries()) result.splice((sorted[i] ?? 0) + i, 0, item)
  return result
}

describe('a room is derived from its events', () => {
  it('snapshot + events == fresh snapshot, with events that come twice', () => {
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(), fc.nat(), (w, a, b, c) => {
        const n = w.events.length
        const k = 2 + (a % (n - 1))
        const from = 1 + (b % k)
        const again = 1 + (c % k)
        const grown = run([
          roomsAt(w, k),
          pageOf(w.events, from, k),
          membersAt(w, k),
          ...w.events.slice(again - 1).map(live),
        ])
        const fresh = run([roomsAt(w, n), pageOf(w.events, from, n), membersAt(w, n)])
        expect(shown(grown)).toEqual(shown(fresh))
      }),
    )
  })

  it('[W8] followed by digests for a while, and then in full again from where one was: the same', () => {
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(), fc.boolean(), (w, a, b, early) => {
        const n = w.events.length
        const k = 2 + (a % (n - 1))
        const seen = k + (b % (n - k + 1))
        const begin = [roomsAt(w, k), pageOf(w.events, 1, k), membersAt(w, k)]
        const digests = [digestAt(w, seen), digestAt(w, n)]
        const digested = run(early ? [...digests, ...begin] : [...begin, ...digests])
        const fresh = run([roomsAt(w, n), pageOf(w.events, 1, n), membersAt(w, n)])
        const [mine, theirs] = [digested.rooms[ROOM]!, fresh.rooms[ROOM]!]
        expect(mine).toMatchObject({ lastMessageNo: theirs.lastMessageNo, lastAt: theirs.lastAt, tail: n })
        expect(shown(run(w.events.slice(k).map(live), digested))).toEqual(shown(fresh))
      }),
    )
  })

  it('[W8] a digest tells how many messages are unread, and whether the room is still as it was', () => {
    const w = world([
      { kind: 'say', user: 1, text: 'one' },
      { kind: 'join', user: 2 },
      { kind: 'say', user: 2, text: 'two' },
      { kind: 'say', user: 2, text: 'three' },
    ])
    const before = run([roomsAt(w, 3)])
    const after = run([digestAt(w, 6)], before)
    expect(unreadOf(after, after.rooms[ROOM]!)).toBe(2)
    const { head, messageNo } = tailAt(w, 6)
    expect(before.rooms[ROOM]?.others).toBe(2)
    expect(head - messageNo).toBe(3)
  })

  it('the answers of the server may come at any time between the live events', () => {
    fc.assert(
      fc.property(
        history,
        fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
        fc.array(fc.nat(), { minLength: 3, maxLength: 3 }),
        (w, at, places) => {
          const n = w.events.length
          // Live events begin after `start`; every answer was given at that time or later.
          const start = 2 + (at[0]! % (n - 1))
          const later = (i: number) => start + (at[i]! % (n - start + 1))
          const load: Action = { type: 'load', subject: ROOM, what: 'latest' }
          // What is asked for after an event came is answered with that event; the list of rooms was asked for before.
          const asked = start + (places[0]! % (n - start + 1))
          const answers: Action[] = [
            roomsAt(w, later(1)),
            load,
            { type: 'members-load', subject: ROOM },
            pageOf(w.events, 1, Math.max(asked, later(2))),
            membersAt(w, Math.max(asked, later(3))),
          ]
          const actions = interleave(w.events.slice(start).map(live), answers, [
            places[0]!,
            places[0]!,
            places[0]!,
            places[1]!,
            places[2]!,
          ])
          const fresh = run([roomsAt(w, n), pageOf(w.events, 1, n), membersAt(w, n)])
          expect(shown(run(actions))).toEqual(shown(fresh))
        },
      ),
    )
  })

  it('pages may come in any sizes from the end to the beginning', () => {
    fc.assert(
      fc.property(history, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (w, sizes) => {
        const n = w.events.length
        const pages: Action[] = []
        for (let to = n, i = 0; to >= 1; i++) {
          const from = Math.max(1, to - sizes[i % sizes.length]! + 1)
          pages.push(pageOf(w.events, from, to))
          to = from - 1
        }
        expect(shown(run([roomsAt(w, n), ...pages]))?.timeline).toEqual(
          shown(run([roomsAt(w, n), pageOf(w.events, 1, n)]))?.timeline,
        )
      }),
    )
  })

  it('says what is missing when live events do not touch what was loaded, and is whole once that is there', () => {
    const w = world([1, 2, 3, 4, 5, 6].map((n) => ({ kind: 'say', user: 1, text: `${n}` })))
    const before = run([roomsAt(w, 4), pageOf(w.events, 1, 4), live(w.events[6]!), live(w.events[7]!)])
    expect(gapOf(before.rooms[ROOM]!.timeline!)).toEqual({ after: 4, upTo: 6 })
    const after = run([pageOf(w.events, 5, 6)], before)
    expect(gapOf(after.rooms[ROOM]!.timeline!)).toBeUndefined()
    expect(after.rooms[ROOM]!.timeline!.entries.map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('after a reset nothing of before is shown beside what is new', () => {
    const w = world([1, 2, 3, 4].map((n) => ({ kind: 'say', user: 1, text: `${n}` })))
    const state = run([
      roomsAt(w, 3),
      pageOf(w.events, 1, 3),
      { type: 'reset', subject: ROOM },
      live(w.events[5]!),
    ])
    expect(state.rooms[ROOM]!.timeline!.entries).toEqual([])
    const whole = run([pageOf(w.events, 4, 6)], state)
    expect(whole.rooms[ROOM]!.timeline!.entries.map((entry) => entry.seq)).toEqual([4, 5, 6])
  })

  it('an event of a later version changes nothing but the position', () => {
    const w = world([{ kind: 'say', user: 1, text: 'a' }])
    const strange = eventAt(4, { type: 'chat.message.sung.v9', user: 2, data: {}, cause: 5 })
    const state = run([roomsAt(w, 3), pageOf(w.events, 1, 3), live(strange)])
    expect(state.rooms[ROOM]).toMatchObject({ head: 4, lastMessageNo: 1, memberCount: 1 })
    expect(state.rooms[ROOM]!.timeline).toMatchObject({ to: 4 })
  })
})

describe('what is new', () => {
  const w = world([
    { kind: 'join', user: 2 },
    ...[1, 2, 3, 4].map((n): Step => ({ kind: 'say', user: 2, text: `${n}` })),
  ])
  const [, , , one, two, three, four] = w.events
  const at = run([roomsAt(w, 4), pageOf(w.events, 1, 4)])
  const unread = (state: State) => unreadOf(state, state.rooms[ROOM]!)

  it('a room met for the first time has nothing new', () => expect(unread(at)).toBe(0))

  it('messages of others count until they are seen, and a line stands above the first', () => {
    const away = run([live(two!), live(three!)], at)
    expect(unread(away)).toBe(2)
    expect(newAfter(away, ROOM)).toBe(1)
    const back = run([{ type: 'watch', subject: ROOM }], away)
    expect(unread(back)).toBe(0)
    expect(newAfter(back, ROOM)).toBe(1)
  })

  it('what comes before the eyes of someone who looks is not new', () => {
    const state = run([{ type: 'watch', subject: ROOM }, live(two!), live(three!)], at)
    expect(unread(state)).toBe(0)
    expect(newAfter(state, ROOM)).toBeUndefined()
  })

  it('after looking away the line moves to where one looked away', () => {
    const state = run(
      [
        live(two!),
        { type: 'watch', subject: ROOM },
        { type: 'watch', subject: undefined },
        live(three!),
        live(four!),
      ],
      at,
    )
    expect(newAfter(run([{ type: 'watch', subject: ROOM }], state), ROOM)).toBe(2)
  })

  it('who writes has read', () => {
    const mine = eventAt(6, {
      type: 'chat.message.sent.v1',
      user: 1,
      data: { text: 'x', messageNo: 3 },
      cause: 7,
    })
    expect(unread(run([live(two!), live(mine)], at))).toBe(0)
  })

  it('another tab has seen more: the mark only grows', () => {
    const state = run(
      [
        live(two!),
        live(three!),
        { type: 'seen', seen: { [ROOM]: 3 } },
        { type: 'seen', seen: { [ROOM]: 1 } },
      ],
      at,
    )
    expect(unread(state)).toBe(0)
    expect(one).toBeDefined()
  })
})

describe('membership', () => {
  it('a room one leaves or is put out of is no longer shown', () => {
    const w = world([])
    const left = eventAt(3, { type: 'chat.member.left.v1', user: 1, data: { user: uuid(1) }, cause: 9 })
    const state = run([roomsAt(w, 2), pageOf(w.events, 1, 2), live(left)])
    expect(state.rooms[ROOM]!.member).toBe(false)
    const gone = run([{ type: 'unfollowed', subject: ROOM }], state)
    expect(gone.rooms[ROOM]!.timeline).toBeUndefined()
  })
})
