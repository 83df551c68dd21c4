import { deadLetterHeaders, GLOBAL_ROOM, headers, topics } from '@klatsch/contracts'
import {
  attemptLog,
  type Consumer,
  type MemoryEventBus,
  memoryEventBus,
  PassingFault,
} from '@klatsch/event-bus'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as make from '../../test/commands.ts'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { faultsOf } from '../../test/history.ts'
import { postgresTables } from '../../test/postgres-tables.ts'
import { eventsOf, repliesOf } from '../../test/publisher.ts'
import type { CommandStore } from '../domain/command-store.ts'
import { newSalt } from '../outbound/salt.ts'
import { postgresStore } from '../outbound/store.ts'
import { consumeCommands } from './commands.ts'
import { commandProcessor } from './processor.ts'

let database: TestDatabase
let bus: MemoryEventBus
let store: CommandStore
let tablesPool: ReturnType<TestDatabase['pool']>
const consumers: Consumer[] = []
beforeEach(async () => {
  database = await testDatabase()
  tablesPool = database.pool({ max: 1 })
  bus = memoryEventBus({ maxLatencyMs: 0 })
  store = postgresStore(database.pool({ max: 12 }))
})
afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close()))
  await bus.close()
  await database.end()
})

async function chat(over: Partial<CommandStore> = {}): Promise<Consumer> {
  const publisher = await bus.publisher()
  const processor = commandProcessor({ store: { ...store, ...over }, publisher, now: Date.now, newSalt })
  const deadLetters = await bus.publisher()
  const consumer = await consumeCommands(bus, processor, deadLetters, attemptLog(deadLetters), () => {})
  consumers.push(consumer)
  await consumer.ready
  return consumer
}

async function put(...commands: readonly make.TestCommand['record'][]): Promise<void> {
  const publisher = await bus.publisher()
  await publisher.publish(commands.map(({ topic, key, value, headers }) => ({ topic, key, value, headers })))
}
const log = (topic: { name: string }) => bus.records(topic.name)
const tables = () => postgresTables(tablesPool)
const patience = { timeout: 40_000 }

/** All events of every stream are on the log, first in order, and everything is whole. */
async function expectWhole(): Promise<void> {
  const published = async () => [...(await tables()).heads.values()].every((h) => h.seq === h.publishedSeq)
  await expect.poll(published, patience).toBe(true)
  const { events, heads } = await tables()
  const onLog = eventsOf(log(topics.events))
  for (const [stream, kept] of events) {
    expect(faultsOf(kept.map(({ bytes }) => JSON.parse(bytes)))).toEqual([])
    const seen = onLog.filter(({ subject }) => subject === stream).map(({ seq }) => seq)
    expect(seen.filter((seq, i) => seen.indexOf(seq) === i)).toEqual(kept.map(({ seq }) => seq))
    expect(heads.get(stream)?.publishedSeq).toBe(kept.length)
  }
}

const asked = { replyTo: 'gw-1', requestId: 'r1' }

test('[D7] garbage goes to the dead letters with its reason; its neighbours are unharmed', async () => {
  const room = make.create('ada')
  const texts = Array.from({ length: 200 }, (_, i) => make.send(room.subject, `${i}`, 'ada', asked))
  const garbage = ['', 'junk', '{}', 'null', '\u0000', '[[[[', JSON.stringify({ actor: 'user:x' })]
  const records = [room, ...texts].flatMap(({ record }, i) =>
    i % 10 === 3 ? [make.rawRecord(room.subject, garbage[i % garbage.length] ?? '')] : [record],
  )
  const wanted = records.filter(({ value }) => value.includes('specversion'))
  await put(...records)
  await chat()
  await expect.poll(() => log(topics.commandsDlq).length, patience).toBe(records.length - wanted.length)
  await expect
    .poll(() => eventsOf(log(topics.events)).filter((e) => e.subject === room.subject).length, patience)
    .toBe(wanted.length + 1)
  for (const { headers: why, key } of log(topics.commandsDlq)) {
    expect(key).toBe(room.subject)
    expect(why).toMatchObject({
      [deadLetterHeaders.topic]: topics.commands.name,
      [deadLetterHeaders.group]: 'chat',
      [deadLetterHeaders.code]: 'command.invalid',
    })
  }
  await expectWhole()
})

test('[D7] a bug that one command meets holds that command, and no other', async () => {
  const room = make.create('ada')
  const texts = Array.from({ length: 60 }, (_, i) => make.send(room.subject, `text ${i}`, 'ada', asked))
  const poison = make.send(room.subject, 'poison', 'ada', asked)
  await put(room.record, ...texts.slice(0, 30).map((t) => t.record), poison.record)
  await put(...texts.slice(30).map((t) => t.record))
  await chat({
    transact: (request, decide) =>
      store.transact(request, (loaded) => {
        const writes = decide(loaded)
        if (writes.events.some(({ bytes }) => bytes.includes('poison'))) throw new TypeError('a bug')
        return writes
      }),
  })
  await expect
    .poll(() => eventsOf(log(topics.events)).filter((e) => e.subject === room.subject).length, patience)
    .toBe(62)
  const { outcomes } = await tables()
  expect(outcomes.get(`${make.actor('ada')} ${poison.id}`)).toMatchObject({ state: 'held' })
  expect(log(topics.commandsDlq)).toHaveLength(1)
  expect(repliesOf(log(topics.replies))).toMatchObject([
    { id: poison.id, state: 'held', code: 'command.held' },
  ])
  await expectWhole()
})

test('passing faults, before and after the commit, lose nothing and double nothing', async () => {
  const rooms = ['ada', 'bob', 'cyd'].map((by) => ({ by, room: make.create(by) }))
  const texts = rooms.flatMap(({ by, room }) =>
    Array.from({ length: 80 }, (_, i) => make.send(room.subject, `${i}`, by)),
  )
  let seed = 7
  const sometimes = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    if (seed >> 16 < 0x7fff / 3) throw new PassingFault('not now')
  }
  await chat({
    async transact(request, decide) {
      sometimes()
      const writes = await store.transact(request, decide)
      sometimes()
      return writes
    },
    async markPublished(ranges) {
      sometimes()
      await store.markPublished(ranges)
    },
  })
  for (const { record } of [...rooms.map(({ room }) => room), ...texts]) await put(record)
  await expect.poll(async () => (await tables()).messages.size, patience).toBe(texts.length)
  await expectWhole()
})

test('[C8] what a process committed before it died is published by the next, before anything else', async () => {
  const room = make.create('ada')
  const died = new Promise<void>((resolve) => {
    void chat({
      async transact(request, decide) {
        await store.transact(request, decide)
        resolve()
        throw new PassingFault('killed')
      },
    })
  })
  await put(room.record)
  await died
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close()))
  expect(log(topics.events).filter(({ key }) => key === room.subject)).toEqual([])
  await put(make.send(room.subject, 'hi', 'ada', asked).record)
  await chat()
  await expect
    .poll(() => eventsOf(log(topics.events)).filter((e) => e.subject === room.subject).length, patience)
    .toBe(3)
  await expect.poll(async () => (await tables()).userRooms.size, patience).toBe(1)
  await expectWhole()
})

test('the global room, made by the migration, comes to the log by the sweep', async () => {
  await chat()
  await expect
    .poll(() => log(topics.events).filter(({ key }) => key === GLOBAL_ROOM).length, patience)
    .toBe(1)
  const [record] = log(topics.events)
  expect(record?.headers).toMatchObject({ [headers.seq]: '1', [headers.prevchain]: '' })
  await expectWhole()
})

test('a thousand records of garbage stop nothing', async () => {
  const room = make.create('ada')
  const junk = Array.from({ length: 1_000 }, (_, i) => make.rawRecord(room.subject, `junk ${i}`))
  await put(room.record, ...junk, make.send(room.subject, 'still here', 'ada').record)
  await chat()
  await expect.poll(() => log(topics.commandsDlq).length, patience).toBe(1_000)
  await expect.poll(async () => (await tables()).messages.size, patience).toBe(1)
  await expectWhole()
})
