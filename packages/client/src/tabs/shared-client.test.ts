import type { StreamEvent } from '@klatsch/contracts'
import { type SimulatedProcess, simulatedScheduler } from '@klatsch/streams/simulation'
import { describe, expect, test } from 'vitest'
import { fakeBrowser } from '../../test/fake-browser.ts'
import { fakeChat } from '../../test/fake-chat.ts'
import { memoryStorage } from '../storage.ts'
import type { Client, ClientEvents } from '../types.ts'
import { createSharedClient } from './shared-client.ts'

const [A, B] = ['room:a', 'room:b'] as const
const ROOMS = [A, B]
const textOf = (event: StreamEvent) => (event.data as { text: string }).text

/** A browser with a server: tabs are opened in it, and each keeps what it is told. */
function world(seed: number, lost = 0) {
  const sim = simulatedScheduler(seed)
  const chat = fakeChat(sim, ROOMS)
  const { tab } = fakeBrowser(sim, { lost })
  const storages = new Map<string, ReturnType<typeof memoryStorage>>()
  let ids = 0
  const newId = () => `00000000-0000-7000-9000-${(++ids).toString(16).padStart(12, '0')}`

  function open({ build = 'v1', name = 'ada' }: { build?: string; name?: string } = {}) {
    const process = sim.process(`tab-${ids}`)
    const page = tab(process)
    const storage = storages.get(name) ?? memoryStorage()
    storages.set(name, storage)
    const client = createSharedClient({
      url: 'ws://server/ws',
      token: async () => 'token',
      openSocket: () => chat.connect(process),
      scheduler: process,
      random: sim.random,
      newId,
      storage,
      name,
      build,
      browser: page.browser,
    })
    /** Events by room, a reset filled in from the server's own history, as a page does over HTTP. */
    const read = new Map<string, StreamEvent[]>(ROOMS.map((room) => [room, []]))
    const seen = { state: [] as string[], welcome: 0, resets: 0, wrong: [] as string[] }
    const see = (event: StreamEvent) => {
      const had = read.get(event.subject)!
      const last = had.at(-1)
      if (last && event.seq !== last.seq + 1)
        seen.wrong.push(`${event.subject} ${last.seq} then ${event.seq}`)
      had.push(event)
    }
    client.on('event', see)
    client.on('reset', ({ subject, head }: ClientEvents['reset']) => {
      seen.resets += 1
      const last = read.get(subject)!.at(-1)
      if (last) for (const event of chat.history(subject).slice(last.seq, head)) see(event)
    })
    client.on('state', (state) => seen.state.push(state.kind))
    client.on('welcome', () => {
      seen.welcome += 1
    })
    client.connect()
    return { client, process, page, read, seen, texts: (room: string) => read.get(room)!.map(textOf) }
  }
  const connected =
    (...clients: { client: Client }[]) =>
    () =>
      clients.every(({ client }) => client.state.kind === 'connected' && client.streams.get(A)?.live === true)
  const leader = () => {
    const owners = new Set(chat.open.map(({ owner }) => owner))
    return owners.size === 1 ? [...owners][0] : undefined
  }
  return { sim, chat, open, connected, leader, storages }
}
const say = (tab: { client: Client }, text: string, room: string = A) =>
  tab.client.command('chat.message.send.v1', room, { text })

describe('tabs of one browser', () => {
  test('share one socket; each hears what is said, and what another tab says', async () => {
    const w = world(1)
    const tabs = [w.open(), w.open(), w.open()]
    expect(await w.sim.runUntil(w.connected(...tabs))).toBe(true)
    expect(w.chat.open).toHaveLength(1)
    const { outcome } = say(tabs[2]!, 'from the third')
    w.chat.say(A, 'from elsewhere')
    await w.sim.runUntil(() => tabs.every((tab) => tab.texts(A).length === 2))
    expect(await outcome).toMatchObject({ subject: A })
    for (const tab of tabs) expect([...tab.texts(A)].sort()).toEqual(['from elsewhere', 'from the third'])
    expect(tabs.map((tab) => tab.client.outbox.length)).toEqual([0, 0, 0])
    expect(tabs.map((tab) => tab.seen.welcome)).toEqual([1, 1, 1])
  })

  test('a tab that joins gets the state of streams, and then the events', async () => {
    const w = world(2)
    const first = w.open()
    await w.sim.runUntil(w.connected(first))
    for (let i = 1; i <= 5; i += 1) w.chat.say(A, `${i}`)
    await w.sim.runUntil(() => first.texts(A).length === 5)
    const second = w.open()
    await w.sim.runUntil(w.connected(second))
    expect(second.client.streams.get(A)).toMatchObject({
      cursor: { seq: 5 },
      live: true,
      position: { first: 1 },
    })
    w.chat.say(A, '6')
    await w.sim.runUntil(() => second.texts(A).length === 1)
    expect([second.texts(A), w.chat.open.length]).toEqual([['6'], 1])
  })

  for (const how of ['closed', 'crashed', 'frozen'] as const) {
    test(`the leader's tab is ${how}: another takes over, and nothing is lost or doubled`, async () => {
      const w = world(3)
      const tabs = [w.open(), w.open()]
      await w.sim.runUntil(w.connected(...tabs))
      const leads = tabs.find((tab) => tab.process === w.leader())!
      const other = tabs.find((tab) => tab !== leads)!
      w.chat.say(A, 'before')
      await w.sim.runUntil(() => other.texts(A).length === 1)
      if (how === 'closed') void leads.client.close()
      else if (how === 'crashed') leads.page.crash()
      else leads.page.sleep()
      w.chat.say(A, 'meanwhile')
      const { outcome } = say(other, 'by the other')
      expect(await w.sim.runUntil(() => other.texts(A).length === 3, 10_000)).toBe(true)
      expect(await outcome).toMatchObject({ subject: A })
      expect([...other.texts(A)].sort()).toEqual(['before', 'by the other', 'meanwhile'])
      expect([other.seen.wrong, other.seen.resets, other.seen.welcome]).toEqual([[], 0, 1])
      expect(new Set(other.seen.state)).toEqual(new Set(['connecting', 'connected']))
      // The banner does not blink.
      expect(other.seen.state.lastIndexOf('connecting')).toBeLessThan(other.seen.state.indexOf('connected'))
    })
  }

  test('a leader that hangs without a word is passed by, by a tab that is looked at; woken, it follows', async () => {
    const w = world(4)
    const tabs = [w.open(), w.open()]
    await w.sim.runUntil(w.connected(...tabs))
    const leads = tabs.find((tab) => tab.process === w.leader())!
    const other = tabs.find((tab) => tab !== leads)!
    leads.process.freeze()
    const { outcome } = say(other, 'hello?')
    expect(await w.sim.runUntil(() => other.texts(A).length === 1, 10_000)).toBe(true)
    expect(await outcome).toMatchObject({ seq: 1 })
    leads.process.thaw()
    w.chat.say(A, 'welcome back')
    await w.sim.runUntil(() => leads.texts(A).length === 2, 30_000)
    await w.sim.runFor(5_000)
    expect([leads.texts(A), leads.seen.wrong]).toEqual([['hello?', 'welcome back'], []])
    expect(w.leader()).toBe(other.process)
  })

  test('a tab that is looked at leads instead of a hidden one, after a while', async () => {
    const w = world(5)
    const tabs = [w.open(), w.open()]
    await w.sim.runUntil(w.connected(...tabs))
    const leads = tabs.find((tab) => tab.process === w.leader())!
    const other = tabs.find((tab) => tab !== leads)!
    leads.page.show(false)
    await w.sim.runFor(9_000)
    expect(w.leader()).toBe(leads.process)
    await w.sim.runFor(3_000)
    expect(w.leader()).toBe(other.process)
    await w.sim.runUntil(w.connected(...tabs), 5_000)
    w.chat.say(B, 'x')
    await w.sim.runUntil(() => tabs.every((tab) => tab.texts(B).length === 1), 5_000)
    expect(tabs.map((tab) => tab.texts(B))).toEqual([['x'], ['x']])
  })

  test('what was written without a connection is sent by whoever leads next', async () => {
    const w = world(6)
    const first = w.open()
    await w.sim.runUntil(w.connected(first))
    const second = w.open()
    await w.sim.runUntil(w.connected(second))
    for (const connection of w.chat.open) connection.cut()
    await w.sim.runFor(30)
    const writer = first.process === w.leader() ? second : first
    say(writer, 'unsent')
    await w.sim.runFor(15)
    await Promise.all([first.client.close(), second.client.close(), w.sim.runFor(50)])
    const third = w.open()
    await w.sim.runUntil(() => w.chat.headOf(A) === 1 && third.client.outbox.length === 0, 20_000)
    expect(w.chat.history(A).map(textOf)).toEqual(['unsent'])
  })

  test('tabs of different code, and of different people, have nothing to do with each other', async () => {
    const w = world(7)
    const tabs = [w.open(), w.open({ build: 'v2' }), w.open({ name: 'ben' })]
    await w.sim.runUntil(w.connected(...tabs))
    expect(w.chat.open).toHaveLength(3)
  })

  test('what tabs want is the union: a room unfollowed in one tab is told in the other, unfollowed in both in none', async () => {
    const w = world(8)
    const tabs = [w.open(), w.open()]
    const [one, two] = tabs as [(typeof tabs)[0], (typeof tabs)[0]]
    await w.sim.runUntil(w.connected(...tabs))
    one.client.unfollow(A)
    await w.sim.runFor(50)
    w.chat.say(A, '1')
    await w.sim.runFor(100)
    expect([one.texts(A), two.texts(A)]).toEqual([[], ['1']])
    expect(one.client.streams.has(A)).toBe(false)
    two.client.unfollow(A)
    await w.sim.runFor(50)
    one.client.follow(A)
    await w.sim.runFor(100)
    w.chat.say(A, '2')
    await w.sim.runFor(100)
    expect([one.texts(A), two.texts(A)]).toEqual([['2'], ['1']])
  })

  test('presence: watched is what any tab watches; idle is who is idle in all; the latest choice counts', async () => {
    const w = world(10)
    const tabs = [w.open(), w.open()]
    const [one, two] = tabs as [(typeof tabs)[0], (typeof tabs)[0]]
    await w.sim.runUntil(w.connected(...tabs))
    const [u1, u2] = [1, 2].map((n) => `00000000-0000-4000-8000-00000000000${n}`) as [string, string]
    one.client.presence.watch({ users: [u1], rooms: [A] })
    two.client.presence.watch({ users: [u2] })
    one.client.presence.say({ idle: true, dnd: true })
    await w.sim.runFor(100)
    two.client.presence.say({ idle: false })
    await w.sim.runFor(100)
    const last = (type: string) => w.chat.signals.findLast((frame) => frame.type === type)
    expect(last('watch')).toMatchObject({ users: [u1, u2], rooms: [A] })
    expect(last('signal')).toMatchObject({ data: { idle: false } })
    two.client.presence.say({ idle: true, dnd: false })
    await w.sim.runFor(100)
    expect(last('signal')).toMatchObject({ data: { idle: true, dnd: false } })
    const leads = one.process === w.leader() ? one : two
    const other = leads === one ? two : one
    leads.page.crash()
    await w.sim.runFor(10_000)
    expect(last('watch')).toMatchObject(other === one ? { users: [u1] } : { users: [u2] })
  })

  test('a tab that crashed wants nothing any more', async () => {
    const w = world(11)
    const tabs = [w.open(), w.open()]
    await w.sim.runUntil(w.connected(...tabs))
    const gone = tabs.find((tab) => tab.process !== w.leader())!
    const other = tabs.find((tab) => tab !== gone)!
    gone.client.presence.watch({ rooms: [A] })
    gone.client.presence.say({ idle: false })
    other.client.presence.say({ idle: true })
    await w.sim.runFor(100)
    const last = (type: string) => w.chat.signals.findLast((frame) => frame.type === type)
    expect([last('watch'), last('signal')]).toMatchObject([{ rooms: [A] }, { data: { idle: false } }])
    gone.page.crash()
    await w.sim.runFor(100)
    expect([last('watch'), last('signal')]).toMatchObject([{ rooms: [] }, { data: { idle: true } }])
  })

  test('a command that could never be accepted, and one after close, are refused as ever', async () => {
    const w = world(9)
    const tab = w.open()
    await w.sim.runUntil(w.connected(tab))
    await expect(say(tab, '  ').outcome).rejects.toMatchObject({ code: 'command.invalid' })
    for (const connection of w.chat.open) connection.cut()
    const { outcome } = say(tab, 'x')
    void tab.client.close()
    await expect(outcome).rejects.toMatchObject({ code: 'server.timeout' })
  })
})

const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 60)

test.for(Array.from({ length: SEEDS }, (_, seed) => seed + 1))(
  'seed %i: tabs opened, closed, crashed, hidden and frozen at random: nothing lost, doubled or out of order, one socket in the end',
  async (seed) => {
    // In every third browser messages between tabs get lost, too.
    const w = world(seed, seed % 3 === 0 ? 0.05 : 0)
    const { sim, chat } = w
    const pick = <T>(from: readonly T[]): T => from[Math.floor(sim.random() * from.length)]!
    type Opened = ReturnType<typeof w.open>
    let tabs: Opened[] = [w.open()]
    const all = [...tabs]
    const frozen = new Set<Opened>()
    const said: { text: string; by: SimulatedProcess; sure: boolean }[] = []
    const drop = (tab: Opened) => {
      tabs = tabs.filter((each) => each !== tab)
      frozen.delete(tab)
    }
    for (let step = 0; step < 60; step += 1) {
      const chance = sim.random()
      const tab = tabs.length > 0 ? pick(tabs) : undefined
      if (!tab || (chance < 0.1 && tabs.length < 4)) {
        const opened = w.open()
        tabs.push(opened)
        all.push(opened)
      } else if (chance < 0.15 && tab.process.state === 'running') {
        drop(tab)
        void tab.client.close()
      } else if (chance < 0.2) {
        // What it had just written may never have left it.
        for (const each of said) if (each.by === tab.process) each.sure = false
        drop(tab)
        tab.page.crash()
      } else if (chance < 0.25) {
        frozen.add(tab)
        if (sim.random() < 0.5) tab.page.sleep()
        else tab.process.freeze()
      } else if (chance < 0.3) for (const each of frozen) each.page.wake()
      else if (chance < 0.4) tab.page.show(tab.page.hidden)
      else if (chance < 0.45) for (const connection of chat.open) connection.cut()
      else if (chance < 0.75) chat.say(pick(ROOMS), `elsewhere ${step}`)
      else if (tab.process.state === 'running') {
        const text = `said ${step}`
        said.push({ text, by: tab.process, sure: true })
        say(tab, text, pick(ROOMS))
      }
      await sim.runFor(sim.random() < 0.1 ? sim.random() * 15_000 : sim.random() * 200)
    }
    for (const each of all) if (each.process.state !== 'dead') each.page.wake()
    const last = w.open()
    tabs.push(last)
    all.push(last)
    for (const tab of tabs) tab.page.show(true)
    const settled = () =>
      tabs.every(
        ({ client }) =>
          client.outbox.length === 0 &&
          client.state.kind === 'connected' &&
          ROOMS.every((room) => client.streams.get(room)?.cursor?.seq === chat.headOf(room)),
      )
    await sim.runUntil(settled, 120_000)
    await sim.runFor(30_000)
    expect(
      tabs.map(({ client, page, process }) => [
        process.name,
        process.state,
        page.hidden,
        client.state,
        client.outbox.length,
        ...ROOMS.map((room) => `${client.streams.get(room)?.cursor?.seq} of ${chat.headOf(room)}`),
      ]),
      settled() ? '' : 'never settled',
    ).toSatisfy(settled)
    expect(all.flatMap((tab) => tab.seen.wrong)).toEqual([])
    for (const tab of tabs) {
      for (const room of ROOMS) {
        const read = tab.read.get(room)!
        if (read.length === 0) continue
        expect(read).toEqual(chat.history(room).slice(read[0]!.seq - 1))
      }
    }
    const texts = ROOMS.flatMap((room) => chat.history(room).map(textOf)).filter((text) =>
      text.startsWith('said'),
    )
    expect(new Set(texts).size).toBe(texts.length)
    const lost = said.filter(({ text, sure }) => sure && !texts.includes(text))
    expect(lost).toEqual([])
    expect(chat.open.filter(({ owner }) => owner.state !== 'dead')).toHaveLength(1)
  },
)
