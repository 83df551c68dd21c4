import { expect, test } from 'vitest'
import { makeEvent, type StreamPlace } from '../events.ts'
import { Following } from './following.ts'

const ROOM = 'room:6f1f1f0e-7a39-5d1a-8f0a-0d5c7e1b2a3c'
const ACTOR = 'user:0b6d4f6e-8f1c-4a52-9c52-0f4f3f6f9a10'

/** Events of a room, each after the one before it. */
function history(count: number): string[] {
  let place: StreamPlace = { subject: ROOM, seq: 0, chain: '' }
  return Array.from({ length: count }, (_, index) => {
    // What people write must not be taken for what the event says.
    const event = makeEvent(place, ACTOR, `"seq":99,"chain":"no" ${index}`, '2026-01-01T00:00:00.000Z')
    place = event
    return event.value.toString()
  })
}

const welcome = (head: number) =>
  JSON.stringify({ type: 'welcome', streams: [{ subject: ROOM, first: 1, head }] })
const live = (head: number) => JSON.stringify({ type: 'live', subject: ROOM, head })
const reset = (from: number, head: number) =>
  JSON.stringify({ type: 'reset', subject: ROOM, reason: 'gap', from, head })

function following(events: readonly string[], heals: 'all' | 'page' = 'all') {
  const asked: number[] = []
  const talk = new Following({
    token: 't',
    heals,
    async fetchEvents(_, after) {
      asked.push(after)
      return events.slice(after, after + 3)
    },
  })
  const looked = Promise.withResolvers<void>()
  talk.begin(() => {}, looked.resolve)
  return { talk, asked, looked: looked.promise }
}

test('is whole once it is live and has what it must have', () => {
  const events = history(3)
  const { talk } = following(events)
  talk.expect({ [ROOM]: 3 })
  talk.take(welcome(1))
  talk.take(live(1))
  expect(talk.whole).toBe(false)
  for (const event of events.slice(1)) talk.take(event)
  expect(talk.whole).toBe(true)
  expect(talk.cursors.get(ROOM)).toEqual({ seq: 3, chain: JSON.parse(events[2]!).chain })
  expect(talk.found).toEqual({ doubled: 0, lost: 0, forked: 0, resets: 0, failed: 0 })
})

test('finds what is lost, doubled and of another history', () => {
  const events = history(6)
  const { talk } = following(events)
  talk.take(welcome(1))
  talk.take(live(1))
  talk.take(events[1]!)
  talk.take(events[1]!)
  talk.take(events[4]!)
  talk.take(events[5]!.replace(/"prevchain":"[^"]*"/, '"prevchain":"other"'))
  expect(talk.found).toMatchObject({ doubled: 1, lost: 2, forked: 1 })
})

test('a reset: fetches all that was missed, and what comes meanwhile follows upon it', async () => {
  const events = history(9)
  const { talk, asked, looked } = following(events)
  talk.take(welcome(1))
  talk.take(reset(5, 8))
  talk.take(live(8))
  talk.take(events[8]!)
  expect(talk.whole).toBe(false)
  await looked
  expect(talk.whole).toBe(true)
  expect(asked).toEqual([1, 4, 7])
  expect(talk.cursors.get(ROOM)?.seq).toBe(9)
  expect(talk.found).toEqual({ doubled: 0, lost: 0, forked: 0, resets: 1, failed: 0 })
})

test('a reset of one who wants the fresh page only', async () => {
  const { talk, asked, looked } = following(history(9), 'page')
  talk.take(welcome(1))
  talk.take(reset(7, 9))
  talk.take(live(9))
  await looked
  expect(asked).toEqual([6])
  expect(talk.found).toMatchObject({ lost: 0, resets: 1 })
})
