import type { PendingCommand } from '@klatsch/client'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entryOf } from './entry.ts'
import { rowsOf } from './rows.ts'
import { type Action, initialState, reduce, type State } from './state.ts'
import { eventAt, ME, ROOM, uuid, world } from './testing.ts'

const w = world([])
const base: readonly Action[] = [
  { type: 'rooms', rooms: [w.snapshot(2)] },
  { type: 'page', subject: ROOM, page: { from: 1, to: 2, entries: w.events.map(entryOf) } },
]
const run = (actions: readonly Action[], state = base.reduce(reduce, initialState(ME, {}))): State =>
  actions.reduce(reduce, state)

const command = (n: number, state: 'queued' | 'sent' = 'sent'): PendingCommand => ({
  id: uuid(n),
  type: 'chat.message.send.v1',
  subject: ROOM,
  data: { text: `message ${n}` },
  at: Date.UTC(2026, 0, 5, 10),
  state,
})
const sent = (seq: number, n: number): Action => ({
  type: 'event',
  event: eventAt(seq, {
    type: 'chat.message.sent.v1',
    user: 1,
    data: { text: `message ${n}`, messageNo: seq - 2 },
    cause: n,
  }),
})
const outbox = (...commands: PendingCommand[]): Action => ({ type: 'outbox', outbox: commands })

/** Key and state of every message on the screen. */
function screen(state: State): string[] {
  const rows = rowsOf({
    me: ME.id,
    entries: state.rooms[ROOM]?.timeline?.entries ?? [],
    sending: state.sending.filter((message) => message.room === ROOM),
    newAfter: undefined,
  })
  return rows.flatMap((row) =>
    row.kind === 'group'
      ? row.messages.map((message) => `${message.key.slice(-2)} ${message.sending?.state ?? 'confirmed'}`)
      : [],
  )
}

describe('a message on its way', () => {
  it('waits, is sent, and becomes the message in the room under the same key', () => {
    const states = [outbox(command(11, 'queued')), outbox(command(11)), outbox(), sent(3, 11)]
    const seen: string[][] = []
    states.reduce((state, action) => {
      const next = reduce(state, action)
      seen.push(screen(next))
      return next
    }, run([]))
    expect(seen).toEqual([['11 waiting'], ['11 sent'], ['11 settling'], ['11 confirmed']])
  })

  it('is on the screen exactly once at every moment, whatever comes first', () => {
    // Each message: written, answered (leaves the outbox), and its event; the outbox is told as a whole.
    type Moment = { readonly n: number; readonly what: 'answered' | 'event' }
    const moments = fc.shuffledSubarray<Moment>(
      [11, 12, 13].flatMap((n) => [
        { n, what: 'answered' },
        { n, what: 'event' },
      ]),
      { minLength: 6, maxLength: 6 },
    )
    fc.assert(
      fc.property(moments, (order) => {
        const waiting = new Set([11, 12, 13])
        let seq = 2
        let state = run([outbox(...[...waiting].map((n) => command(n)))])
        for (const { n, what } of order) {
          if (what === 'answered') waiting.delete(n)
          const action = what === 'event' ? sent(++seq, n) : outbox(...[...waiting].map((m) => command(m)))
          state = reduce(state, action)
          expect(
            screen(state)
              .map((line) => line.slice(0, 2))
              .sort(),
          ).toEqual(['11', '12', '13'])
        }
        expect(screen(state).every((line) => line.endsWith('confirmed'))).toBe(true)
      }),
    )
  })

  it('that came with a page instead of live is taken from the way', () => {
    const event = eventAt(3, {
      type: 'chat.message.sent.v1',
      user: 1,
      data: { text: 'message 11', messageNo: 1 },
      cause: 11,
    })
    const page: Action = { type: 'page', subject: ROOM, page: { from: 3, to: 3, entries: [entryOf(event)] } }
    expect(screen(run([outbox(command(11)), outbox(), page]))).toEqual(['11 confirmed'])
    expect(screen(run([page, outbox(command(11))]))).toEqual(['11 confirmed'])
  })

  it('of somebody else with the same command id takes no place', () => {
    const other: Action = {
      type: 'event',
      event: eventAt(3, {
        type: 'chat.message.sent.v1',
        user: 2,
        data: { text: 'x', messageNo: 1 },
        cause: 11,
      }),
    }
    expect(screen(run([outbox(command(11)), other]))).toEqual(['11 confirmed', '11 sent'])
  })
})

describe('a message that was refused', () => {
  const rejected: Action = { type: 'rejected', command: command(11), code: 'room.not_a_member', detail: 'no' }

  it('stays with its reason, whether the outbox or the refusal is told first', () => {
    expect(screen(run([outbox(command(11)), rejected, outbox()]))).toEqual(['11 failed'])
    expect(screen(run([outbox(command(11)), outbox(), rejected]))).toEqual(['11 failed'])
    expect(run([rejected]).sending[0]).toMatchObject({ code: 'room.not_a_member', text: 'message 11' })
  })

  it('goes when it is discarded, or when it appears after all', () => {
    expect(screen(run([rejected, { type: 'discard', id: uuid(11) }]))).toEqual([])
    expect(screen(run([rejected, sent(3, 11)]))).toEqual(['11 confirmed'])
  })

  it('of an earlier visit comes before what is written now, once', () => {
    const failed = run([rejected]).sending
    expect(
      screen(
        run([outbox(command(12)), { type: 'failed-before', failed }, { type: 'failed-before', failed }]),
      ),
    ).toEqual(['11 failed', '12 sent'])
  })
})
