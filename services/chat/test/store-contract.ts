import { GLOBAL_ROOM, noBugs, partitionOf, topics } from '@klatsch/contracts'
import { PassingFault } from '@klatsch/event-bus'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decideBatch, requestOf } from '../src/domain/batch.ts'
import type { CommandStore } from '../src/domain/command-store.ts'
import type { SealedEvent } from '../src/domain/events.ts'
import type { Outcome } from '../src/domain/outcomes.ts'
import { decodeCommand } from '../src/inbound/decode.ts'
import { commandProcessor } from '../src/inbound/processor.ts'
import { newSalt } from '../src/outbound/salt.ts'
import * as make from './commands.ts'
import { faultsOf, tablesOf } from './history.ts'
import { eventsOf, recordingPublisher } from './publisher.ts'
import { calm } from './world.ts'

/** What a store holds, read past its port. */
export interface StoreTables {
  readonly events: ReadonlyMap<string, readonly SealedEvent[]>
  readonly heads: ReadonlyMap<string, { readonly seq: number; readonly publishedSeq: number }>
  readonly outcomes: ReadonlyMap<string, Pick<Outcome, 'state' | 'seq'>>
  readonly rooms: ReadonlyMap<string, unknown>
  readonly members: ReadonlyMap<string, number>
  readonly userRooms: ReadonlyMap<string, unknown>
  readonly messages: ReadonlyMap<string, unknown>
}
export interface StoreHarness {
  readonly store: CommandStore
  tables(): Promise<StoreTables>
  end(): Promise<void>
}

/** What every store must do; run for the one in memory and for the one in Postgres. */
export function storeContract(start: () => Promise<StoreHarness>): void {
  let harness: StoreHarness
  let store: CommandStore
  beforeAll(async () => {
    harness = await start()
    store = harness.store
  })
  afterAll(() => harness?.end())

  const newProcessor = () => {
    const publisher = recordingPublisher()
    const processor = commandProcessor({ store, publisher, now: Date.now, newSalt })
    return { publisher, processor }
  }
  async function feed(...commands: make.TestCommand[]): Promise<void> {
    const { processor } = newProcessor()
    await processor.handle(
      commands.map(({ record }) => record),
      calm,
    )
    await processor.markPublished()
  }
  async function until<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof PassingFault)) throw error
      }
    }
  }
  const decideAll = (commands: readonly make.TestCommand[]) => {
    const decoded = commands.map(({ record }) => decodeCommand(record))
    const context = { now: Date.now(), newSalt, bugs: noBugs }
    return { request: requestOf(decoded), decoded, context }
  }

  /** Streams are whole, and every table says what the events say. */
  async function expectWhole(): Promise<StoreTables> {
    const tables = await harness.tables()
    const expected = tablesOf(tables.events)
    expect(tables.messages).toEqual(expected.messages)
    expect(tables.members).toEqual(expected.members)
    expect(tables.userRooms).toEqual(expected.userRooms)
    expect(tables.rooms).toEqual(expected.rooms)
    for (const [stream, events] of tables.events) {
      expect(faultsOf(events.map(({ bytes }) => JSON.parse(bytes)))).toEqual([])
      expect(tables.heads.get(stream)?.seq).toBe(events.length)
    }
    expect([...tables.heads.keys()].sort()).toEqual([...tables.events.keys()].sort())
    return tables
  }

  test('keeps what was decided, and knows it the next time', async () => {
    const room = make.create('ada')
    await feed(room, make.join(room.subject, 'bob'), make.send(room.subject, 'hi', 'ada'))
    await feed(
      make.rename(room.subject, 'Parlour', 'bob'),
      make.leave(room.subject, 'ada'),
      make.send(room.subject, 'alone', 'bob'),
      make.send(room.subject, 'gone', 'ada'),
    )
    const { messages, rooms, heads } = await expectWhole()
    expect(heads.get(room.subject)).toMatchObject({ seq: 7, publishedSeq: 7 })
    expect(rooms.get(room.subject)).toMatchObject({ name: 'Parlour', memberCount: 1 })
    expect(messages.get(`${room.subject} 7`)).toMatchObject({ messageNo: 2, text: 'alone' })
  })

  test('keeps nothing of a batch whose deciding failed', async () => {
    const room = make.create('ada')
    const before = await harness.tables()
    const { request } = decideAll([room])
    const bug = new Error('a bug')
    await expect(
      store.transact(request, () => {
        throw bug
      }),
    ).rejects.toBe(bug)
    expect(await harness.tables()).toEqual(before)
    await feed(room)
    expect((await expectWhole()).heads.get(room.subject)?.seq).toBe(2)
  })

  test('a stream begun for a command that was refused does not exist', async () => {
    const room = make.create('ada', { after: make.create('ada').id })
    await feed(room)
    expect((await expectWhole()).heads.has(room.subject)).toBe(false)
  })

  test('collapses what a batch changes several times', async () => {
    const room = make.create('ada')
    const again = () => [make.join(room.subject, 'bob'), make.leave(room.subject, 'bob')]
    await feed(room, ...again(), ...again(), make.join(room.subject, 'bob'))
    await feed(...again())
    expect((await expectWhole()).heads.get(room.subject)?.seq).toBe(8)
  })

  test('carries every text that may be sent, unchanged', async () => {
    const room = make.create('ada')
    await feed(room)
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 200 })
      .filter((s) => s.isWellFormed() && !s.includes('\u0000') && s.trim() !== '')
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 40 }), (texts) =>
        feed(...texts.map((one) => make.send(room.subject, one, 'ada'))),
      ),
      { numRuns: 20 },
    )
    await feed(make.send(room.subject, `"\\{}, NULL 'x' ; -- é`, 'ada'))
    await expectWhole()
  })

  describe('the published position', () => {
    test('moves on where a range joins, and nowhere else', async () => {
      const room = make.create('ada')
      const { publisher, processor } = newProcessor()
      publisher.failing = 'refused'
      const texts = [1, 2, 3].map((n) => make.send(room.subject, `${n}`, 'ada'))
      const fed = processor.handle(
        [room, ...texts].map((c) => c.record),
        calm,
      )
      await expect(fed).rejects.toBeInstanceOf(PassingFault)
      const { subject: stream } = room
      const position = async () => (await harness.tables()).heads.get(stream)?.publishedSeq
      const mark = (from: number, upTo: number) => store.markPublished([{ stream, from, upTo }])
      await mark(2, 3)
      expect(await position()).toBe(0)
      await mark(1, 2)
      expect(await position()).toBe(2)
      await mark(1, 1)
      expect(await position()).toBe(2)
      expect((await store.unpublished({ stream, upTo: 4 }, 10)).map(({ seq }) => seq)).toEqual([3, 4])
      await mark(2, 4)
      expect(await position()).toBe(4)
      expect(await store.unpublished({ stream, upTo: 9 }, 10)).toMatchObject([{ seq: 5 }])
      const partition = partitionOf(stream, topics.commands.partitions)
      publisher.failing = 'no'
      await processor.sweep((partition + 1) % 12)
      expect(await position()).toBe(4)
      await processor.sweep(partition)
      expect(await position()).toBe(5)
      expect(eventsOf(publisher.records).filter((e) => e.subject === stream)).toMatchObject([{ seq: 5 }])
    })
  })

  describe('outcomes', () => {
    const cancel = (id: string): Outcome => ({
      actor: make.actor('ada'),
      id,
      state: 'cancelled',
      code: 'command.cancelled',
    })
    test('the first one stands', async () => {
      const { id } = make.create('ada')
      expect(await store.claim(cancel(id))).toMatchObject({ state: 'cancelled' })
      expect(await store.claim({ ...cancel(id), state: 'held' })).toMatchObject({ state: 'cancelled' })
    })
    test('[D9] "held" gives way to what a redrive decides, and to that alone', async () => {
      const room = make.create('ada')
      const [said, other] = ['one', 'two'].map((text) => make.send(room.subject, text, 'ada'))
      await feed(room)
      for (const { id } of [said!, other!]) await store.claim({ ...cancel(id), state: 'held' })
      await feed(said!)
      const redriven = make.send(room.subject, 'one', 'ada', { id: said!.id, redrive: true })
      await feed(redriven)
      await feed(redriven)
      const { outcomes, events } = await expectWhole()
      const nameOf = ({ id }: make.TestCommand) => `${make.actor('ada')} ${id}`
      const { length } = events.get(room.subject)!
      expect(outcomes.get(nameOf(said!))).toMatchObject({ state: 'accepted', seq: length })
      expect(outcomes.get(nameOf(other!))).toMatchObject({ state: 'held' })
    })
    test('[D9] a redrive that was decided elsewhere meanwhile is undone as a whole, and passes', async () => {
      const room = make.create('ada')
      await feed(room)
      const { id } = make.create('ada')
      const redriven = make.send(room.subject, 'one', 'ada', { id, redrive: true })
      const { request, decoded, context } = decideAll([redriven])
      const held = { ...cancel(id), state: 'held' } as const
      await store.claim(cancel(id))
      const blind = store.transact(request, (loaded) =>
        decideBatch(decoded, { ...loaded, outcomes: new Map([[`${held.actor} ${id}`, held]]) }, context),
      )
      await expect(blind).rejects.toBeInstanceOf(PassingFault)
      expect((await expectWhole()).events.get(room.subject)).toHaveLength(2)
    })
    test('a batch that did not know of another outcome is undone as a whole, and passes', async () => {
      const [one, two] = [make.create('ada'), make.create('ada')]
      const { request, decoded, context } = decideAll([one, two])
      await store.claim(cancel(two.id))
      const blind = store.transact(request, (loaded) =>
        decideBatch(decoded, { ...loaded, outcomes: new Map() }, context),
      )
      await expect(blind).rejects.toBeInstanceOf(PassingFault)
      expect((await expectWhole()).heads.has(one.subject)).toBe(false)
    })
    test('of cancelling and deciding at once, one wins', async () => {
      const room = make.create('ada')
      await feed(room)
      const texts = Array.from({ length: 30 }, (_, i) => make.send(room.subject, `${i}`, 'ada'))
      const [claimed] = await Promise.all([
        Promise.all(texts.map(({ id }) => store.claim(cancel(id)))),
        ...texts.map((one) => until(() => feed(one))),
      ])
      const { outcomes, heads } = await expectWhole()
      const cancelled = claimed.filter(({ state }) => state === 'cancelled').length
      expect(heads.get(room.subject)?.seq).toBe(2 + 30 - cancelled)
      for (const { actor, id, state } of claimed) expect(outcomes.get(`${actor} ${id}`)?.state).toBe(state)
    })
  })

  test('[D3] a command sent a hundred times at once is decided once', async () => {
    const room = make.create('ada')
    await feed(room)
    const hi = make.send(room.subject, 'hi', 'ada')
    await Promise.all(Array.from({ length: 100 }, () => until(() => feed(hi))))
    expect((await expectWhole()).heads.get(room.subject)).toMatchObject({ seq: 3, publishedSeq: 3 })
  })

  test('zombies on the same commands break nothing, lose nothing and double nothing', async () => {
    const rooms = [make.create('ada'), make.create('bob'), make.create('cyd')]
    await feed(...rooms)
    const texts = Array.from({ length: 120 }, (_, i) => {
      const by = ['ada', 'bob', 'cyd'][i % 3] ?? ''
      return make.send(rooms[i % 3]?.subject ?? GLOBAL_ROOM, `${i}`, by)
    })
    const processors = [1, 2, 3, 4].map(newProcessor)
    await Promise.all(
      processors.map(async ({ processor }, which) => {
        const size = 5 + which
        for (let at = 0; at < texts.length; at += size) {
          const batch = texts.slice(at, at + size).map(({ record }) => record)
          await until(() => processor.handle(batch, calm))
        }
      }),
    )
    await Promise.all(Array.from({ length: 12 }, (_, partition) => newProcessor().processor.sweep(partition)))
    const { heads, events } = await expectWhole()
    for (const { subject } of rooms) {
      expect(heads.get(subject)).toMatchObject({ seq: 42, publishedSeq: 42 })
      const said = events
        .get(subject)
        ?.flatMap(({ happened }) =>
          happened.type === 'chat.message.sent.v1' ? [Number(happened.data.text)] : [],
        )
      expect(said).toEqual(said?.toSorted((a, b) => a - b))
      // Between them the zombies put everything on the log, each stream first in order.
      const onLog = processors.flatMap(({ publisher }) => eventsOf(publisher.records))
      expect(new Set(onLog.filter((e) => e.subject === subject).map(({ seq }) => seq)).size).toBe(40)
    }
  })
}
