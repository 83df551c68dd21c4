import type { Client, ClientEvents, FollowedStream } from '@klatsch/client'
import type { StreamEvent } from '@klatsch/contracts'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { unreadOf } from '../state/state.ts'
import { ME, ROOM, type Step, world } from '../state/testing.ts'
import { createChat } from './chat.ts'

/** Messages of somebody else, numbered. */
const says = (count: number): Step[] => [
  { kind: 'join', user: 2 },
  ...Array.from({ length: count }, (_, n): Step => ({ kind: 'say', user: 2, text: `${n + 1}` })),
]

beforeEach(() => {
  vi.useFakeTimers()
  for (const name of ['addEventListener', 'removeEventListener', 'cancelAnimationFrame'])
    vi.stubGlobal(name, () => {})
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => void run())
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** The page's chat over a client and a server that do as they are told. `at`: how far the room is. */
async function open(steps: readonly Step[], at: number) {
  const w = world(steps)
  const server = { at, asked: [] as string[] }
  const listeners = new Map<string, (value: never) => void>()
  const followed: [string, string | undefined][] = []
  const streams = new Map<string, FollowedStream>()
  const client = {
    streams,
    counts: { checked: 0, diverged: 0, healed: 0 },
    presence: { say() {}, watch() {}, type() {} },
    on: (name: string, listener: (value: never) => void) => {
      listeners.set(name, listener)
      return () => {}
    },
    follow: (subject: string, how?: { mode?: string }) => followed.push([subject, how?.mode]),
    connect() {},
    close: async () => {},
  }
  const api = {
    rooms: async () => ({ items: [w.snapshot(server.at)] }),
    async room() {
      server.asked.push('room')
      return w.snapshot(server.at)
    },
    async events(_: string, { after = 0, limit = 50 }) {
      server.asked.push(`events after ${after}`)
      return { items: w.events.slice(after, Math.min(after + limit, server.at)), head: server.at }
    },
    users: async () => [],
    members: async () => ({ items: [] }),
  }
  const chat = createChat({ me: ME, api: api as never, client: client as unknown as Client })
  const tell = <K extends keyof ClientEvents>(name: K, value: ClientEvents[K]) =>
    listeners.get(name)?.(value as never)
  const settle = () => vi.advanceTimersByTimeAsync(20)
  await settle()
  return {
    w,
    chat,
    server,
    followed,
    tell,
    settle,
    room: () => chat.store.get().rooms[ROOM]!,
    digest: (seq: number) =>
      tell('digest', {
        subject: ROOM,
        head: seq,
        messageNo: w.snapshot(seq).lastMessageNo ?? 0,
        lastActivity: w.events[seq - 1]!.time,
      }),
    /** Live in full, with everything up to here told or older. */
    live(seq: number) {
      streams.set(ROOM, {
        cursor: { seq },
        position: { subject: ROOM, first: 1, head: seq },
        live: true,
        mode: 'full',
        digest: undefined,
      })
      tell('live', { subject: ROOM, head: seq })
    },
    events: (events: readonly StreamEvent[]) => {
      for (const event of events) tell('event', event)
    },
  }
}

test('[W8] what a digest tells is unread, and opening the room follows it in full', async () => {
  const { chat, digest, followed, room, settle, server } = await open(says(30), 13)
  expect(unreadOf(chat.store.get(), room())).toBe(0)
  server.at = 33
  digest(33)
  expect(unreadOf(chat.store.get(), room())).toBe(20)
  expect(followed).toEqual([])
  await chat.open(ROOM)
  await settle()
  expect(followed).toEqual([[ROOM, 'full']])
  expect(room().timeline).toMatchObject({ to: 33, loading: undefined })
  await chat.close()
})

test('what was said between the page and the following is filled in, without a word said since', async () => {
  const { chat, live, room, settle, server } = await open(says(30), 13)
  await chat.open(ROOM)
  await settle()
  expect(room().timeline?.to).toBe(13)
  server.at = 20
  live(20)
  await settle()
  expect(room().timeline).toMatchObject({ to: 20, ahead: [] })
  await chat.close()
})

test('a room left for a while shows what it had at once, and takes the rest as it comes, asking for nothing', async () => {
  const { w, chat, digest, events, live, room, settle, server } = await open(says(30), 13)
  await chat.open(ROOM)
  live(13)
  await settle()
  digest(30)
  server.asked = []
  await chat.open(ROOM)
  expect(room().timeline).toMatchObject({ to: 13, loading: undefined })
  events(w.events.slice(13, 30))
  live(30)
  await settle()
  expect(room().timeline?.entries.map((entry) => entry.seq)).toEqual(
    Array.from({ length: 30 }, (_, n) => n + 1),
  )
  expect(server.asked).toEqual([])
  await chat.close()
})

test('[W8] a digest that counts more than messages has the room asked for again, once, when the dust has settled', async () => {
  const steps: Step[] = [...says(3), { kind: 'rename', user: 2, name: 'Renamed', topic: '' }, ...says(5)]
  const { w, chat, digest, room, server } = await open(steps, 6)
  expect(room().name).toBe('Kitchen')
  server.at = w.events.length
  for (let seq = 7; seq <= w.events.length; seq += 1) digest(seq)
  expect(server.asked).toEqual([])
  await vi.advanceTimersByTimeAsync(600)
  expect(server.asked).toEqual(['room'])
  expect(room().name).toBe('Renamed')
  await chat.close()
})
