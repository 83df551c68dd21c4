import { GLOBAL_ROOM, headers } from '@klatsch/contracts'
import { PassingFault } from '@klatsch/event-bus'
import { beforeEach, describe, expect, test } from 'vitest'
import * as make from '../../test/commands.ts'
import { faultsOf } from '../../test/history.ts'
import { eventsOf, followUpsOf, repliesOf } from '../../test/publisher.ts'
import { calm, newWorld } from '../../test/world.ts'
import { newSalt } from '../outbound/salt.ts'
import { commandProcessor } from './processor.ts'

const asked = { replyTo: 'gw-1', requestId: 'r1' }

let world: Awaited<ReturnType<typeof newWorld>>
beforeEach(async () => {
  world = await newWorld()
})
const answers = () => repliesOf(world.log)

describe('an accepted command', () => {
  test('is answered by its first event, which carries who asked', async () => {
    const room = make.create('ada', { ...asked, traceparent: '00-abc-def-01' })
    await world.feed(room)
    const [created, joined] = world.log
    expect(joined?.headers).not.toHaveProperty(headers.replyTo)
    expect(created?.headers).toMatchObject({
      [headers.replyTo]: 'gw-1',
      [headers.requestId]: 'r1',
      [headers.traceparent]: '00-abc-def-01',
      [headers.causationId]: room.id,
      [headers.actor]: make.actor('ada'),
      [headers.seq]: '1',
      [headers.type]: 'chat.room.created.v1',
    })
    expect(answers()).toEqual([])
  })
  test('[C7] has its follow-ups sent with it, named by the event', async () => {
    const room = make.create('ada')
    await world.feed(room)
    const [, joined] = eventsOf(world.log)
    const [followUp] = followUpsOf(world.log)
    expect(followUp?.key).toBe(make.actor('ada'))
    const told = JSON.parse(String(followUp?.value))
    expect(told).toMatchObject({
      type: 'chat.membership.add.v1',
      actor: 'system:chat',
      correlationid: room.id,
      data: { room: room.subject, seq: 2 },
    })
    await world.feed({ ...room, record: make.rawRecord(followUp!.key, followUp!.value) })
    expect(world.store.events.get(make.actor('ada'))).toMatchObject([
      { type: 'chat.membership.added.v1', causationid: told.id, correlationid: room.id },
    ])
    expect(joined?.type).toBe('chat.member.joined.v1')
  })
  test('that appends nothing is answered with the head', async () => {
    const room = make.create('ada')
    await world.feed(room, make.join(room.subject, 'ada', asked))
    expect(answers()).toMatchObject([{ to: 'gw-1', requestId: 'r1', state: 'accepted', seq: 2 }])
  })
  test('the log has exactly the bytes that the record keeps', async () => {
    const room = make.create('ada')
    await world.feed(room, make.send(room.subject, 'Grüße 👋', 'ada'))
    const kept = world.store.events.get(room.subject)?.map((event) => event.bytes)
    expect(world.log.filter((record) => record.topic === 'chat.events').map((r) => r.value)).toEqual(kept)
  })
})

describe('[D3] a repetition', () => {
  test('a hundred times, in one batch and in others, is one message and one answer', async () => {
    const room = make.create('ada')
    const hi = make.send(room.subject, 'hi', 'ada', asked)
    await world.feed(room, ...Array.from({ length: 50 }, () => hi))
    for (let i = 0; i < 50; i++) await world.feed(hi)
    expect(world.store.events.get(room.subject)).toHaveLength(3)
    expect(answers()).toHaveLength(99)
    expect(new Set(answers().map(({ state, seq }) => `${state} ${seq}`))).toEqual(new Set(['accepted 3']))
  })
  test('of a rejected command is rejected again, even when it would be accepted by now', async () => {
    const room = make.create('ada')
    const early = make.send(room.subject, 'hi', 'bob', asked)
    await world.feed(room, early, make.join(room.subject, 'bob'), early)
    expect(answers().map(({ code }) => code)).toEqual(['room.not_a_member', 'room.not_a_member'])
  })
  test('without anyone waiting is not answered', async () => {
    const room = make.create('ada')
    await world.feed(room, room)
    expect(answers()).toEqual([])
  })
  test('[D4] with other data, type or stream is refused and changes nothing', async () => {
    const [room, other] = [make.create('ada'), make.create('ada')]
    await world.feed(room, other)
    const { id } = make.send(room.subject, 'hi', 'ada')
    const first = make.send(room.subject, 'hi', 'ada', { id })
    await world.feed(first)
    const before = new Map(world.store.outcomes)
    await world.feed(
      make.send(room.subject, 'ho', 'ada', { ...asked, id }),
      make.send(other.subject, 'hi', 'ada', { ...asked, id }),
      make.leave(room.subject, 'ada', { ...asked, id }),
    )
    expect(answers().map(({ code }) => code)).toEqual(Array(3).fill('command.id_reused'))
    expect(world.store.outcomes).toEqual(before)
    expect(world.store.events.get(room.subject)).toHaveLength(3)
  })
  test("of another's id is a command of its own", async () => {
    const room = make.create('ada')
    await world.feed(room, make.join(room.subject, 'bob'))
    const { id } = make.send(room.subject, 'x', 'ada')
    await world.feed(
      make.send(room.subject, 'hi', 'ada', { id }),
      make.send(room.subject, 'hi', 'bob', { id }),
    )
    expect(world.store.events.get(room.subject)).toHaveLength(5)
  })
  test('is decided twice when the bug dedupe-off is on', async () => {
    world = await newWorld(['dedupe-off'])
    const room = make.create('ada')
    const hi = make.send(room.subject, 'hi', 'ada')
    await world.feed(room, hi)
    await world.feed(hi)
    expect(faultsOf(eventsOf(world.log))).toEqual(['an event is doubled'])
  })
})

describe('[C2] after', () => {
  test('waits for the outcome of the command before: refused for the moment, nothing kept', async () => {
    const room = make.create('ada')
    await world.feed(room)
    const one = make.send(room.subject, 'one', 'ada')
    const two = make.send(room.subject, 'two', 'ada', { ...asked, after: one.id })
    await world.feed(two)
    expect(answers()).toMatchObject([{ state: 'rejected', code: 'command.after_unknown' }])
    await world.feed(one, two)
    const texts = world.store.events
      .get(room.subject)
      ?.flatMap(({ happened }) => (happened.type === 'chat.message.sent.v1' ? [happened.data.text] : []))
    expect(texts).toEqual(['one', 'two'])
  })
  test('a rejection and a cancellation are outcomes too', async () => {
    const room = make.create('ada')
    const refused = make.send(room.subject, 'x', 'bob')
    await world.feed(room, refused, make.join(room.subject, 'bob', { after: refused.id }))
    const taken = make.send(room.subject, 'y', 'bob')
    await world.store.claim({
      actor: make.actor('bob'),
      id: taken.id,
      state: 'cancelled',
      code: 'command.cancelled',
    })
    await world.feed(make.send(room.subject, 'z', 'bob', { after: taken.id }))
    expect(world.store.events.get(room.subject)).toHaveLength(4)
  })
  test("another's command is not one's own", async () => {
    const room = make.create('ada')
    await world.feed(room, make.join(room.subject, 'bob', { ...asked, after: room.id }))
    expect(answers()).toMatchObject([{ code: 'command.after_unknown' }])
  })
})

describe('what is not a command', () => {
  test('data nested without end is rejected like any other', async () => {
    const hi = make.send(GLOBAL_ROOM, 'deep', 'ada', asked)
    const deep = hi.record.value.toString().replace('"deep"', '['.repeat(50_000) + ']'.repeat(50_000))
    const record = make.rawRecord(GLOBAL_ROOM, deep, hi.record.headers)
    await world.processor.handle([record, record], calm)
    expect(answers()).toMatchObject([{ code: 'command.invalid' }, { code: 'command.invalid' }])
  })
  test.each([
    ['an unknown type', 'chat.room.explode.v1', {}, 'command.unknown'],
    ['a type with what Postgres cannot store', 'chat.\u0000\ud800', {}, 'command.unknown'],
    ['a misspelt field', 'chat.message.send.v1', { text: 'hi', txet: 'ho' }, 'command.invalid'],
    [
      'a field with a name Postgres cannot store',
      'chat.message.send.v1',
      { text: 'hi', '\u0000\udfff': 1 },
      'command.invalid',
    ],
    ['no text', 'chat.message.send.v1', { text: ' ' }, 'command.invalid'],
    ['text that cannot be stored', 'chat.message.send.v1', { text: 'a\u0000b' }, 'command.invalid'],
    ['text that is no text', 'chat.message.send.v1', { text: '\ud800' }, 'command.invalid'],
    ['no data', 'chat.message.send.v1', null, 'command.invalid'],
  ])('%s is rejected for good, and its answer can be stored', async (_what, type, data, code) => {
    const junk = make.command(
      'ada',
      type as 'chat.message.send.v1',
      GLOBAL_ROOM,
      data as { text: string },
      asked,
    )
    await world.feed(junk)
    await world.feed(junk)
    expect(answers()).toMatchObject([
      { state: 'rejected', code },
      { state: 'rejected', code },
    ])
    const kept = world.store.outcomes.get(`${make.actor('ada')} ${junk.id}`)
    expect(kept).toMatchObject({ state: 'rejected', code })
    expect(kept?.detail).not.toContain('\u0000')
    expect(kept?.detail?.isWellFormed()).toBe(true)
  })
  test.each([
    ['', 'not JSON'],
    ['\u0000', 'not JSON'],
    ['null', ''],
    ['[]', ''],
    ['{"specversion":"1.0"}', ''],
    [`{"specversion":"1.0","actor":"user:${'-'.repeat(36)}"}`, ''],
    ['['.repeat(100_000), 'not JSON'],
  ])('a record that has no name is the fault of the record: %#', async (value) => {
    const fed = world.processor.handle([make.rawRecord('room:x', value)], calm)
    await expect(fed).rejects.toMatchObject({ code: 'command.invalid' })
    await expect(fed).rejects.not.toBeInstanceOf(PassingFault)
  })
})

describe('[D7] a command that could not be decided', () => {
  const letter = (record: make.TestCommand['record']) => ({
    record,
    error: new Error('bug'),
    attempts: 2,
    firstFailedAt: new Date(0),
  })
  test('is held, its sender told, and what comes after passes it by', async () => {
    const room = make.create('ada')
    await world.feed(room)
    const bad = make.send(room.subject, 'bad', 'ada', asked)
    await world.processor.hold(letter(bad.record))
    await world.feed(make.send(room.subject, 'good', 'ada', { after: bad.id }), bad)
    expect(world.store.events.get(room.subject)).toHaveLength(3)
    expect(answers()).toMatchObject([
      { state: 'held', code: 'command.held', requestId: 'r1' },
      { state: 'held', code: 'command.held' },
    ])
  })
  test('keeps the outcome it had', async () => {
    const room = make.create('ada', asked)
    await world.feed(room)
    await world.processor.hold(letter(room.record))
    expect(answers()).toMatchObject([{ state: 'accepted', seq: 1 }])
  })
  test('is held under its name even when nothing else of it can be read', async () => {
    const value = JSON.stringify({ actor: make.actor('ada'), id: make.create('ada').id, subject: 7 })
    await world.processor.hold(letter(make.rawRecord('room:x', value, { [headers.replyTo]: 'gw-1' })))
    expect(answers()).toMatchObject([{ state: 'held', code: 'command.held' }])
  })
  test('without a name has only its dead letter', async () => {
    await world.processor.hold(letter(make.rawRecord('room:x', 'junk', { [headers.replyTo]: 'gw-1' })))
    expect(world.log).toEqual([])
    expect(world.store.outcomes.size).toBe(0)
  })
})

describe('[D9] a held command that is redriven', () => {
  const hold = ({ record }: make.TestCommand) =>
    world.processor.hold({ record, error: new Error('bug'), attempts: 2, firstFailedAt: new Date(0) })
  const again = (id: string) => ({ id, redrive: true })
  const outcomeOf = (id: string) => world.store.outcomes.get(`${make.actor('ada')} ${id}`)

  test('is decided, once, under the same id', async () => {
    const room = make.create('ada')
    const bad = make.send(room.subject, 'at last', 'ada')
    await world.feed(room)
    await hold(bad)
    const redriven = make.send(room.subject, 'at last', 'ada', again(bad.id))
    await world.feed(redriven, redriven)
    await world.feed(redriven, bad)
    const events = world.store.events.get(room.subject)!
    expect(events.filter(({ causationid }) => causationid === bad.id)).toHaveLength(1)
    expect(outcomeOf(bad.id)).toMatchObject({ state: 'accepted', seq: events.length })
  })
  test('may be rejected, and then that stands', async () => {
    const room = make.create('bob')
    const bad = make.send(room.subject, 'stranger', 'ada')
    await world.feed(room)
    await hold(bad)
    await world.feed(make.send(room.subject, 'stranger', 'ada', again(bad.id)))
    expect(outcomeOf(bad.id)).toMatchObject({ state: 'rejected', code: 'room.not_a_member' })
    await world.feed(
      make.join(room.subject, 'ada'),
      make.send(room.subject, 'stranger', 'ada', again(bad.id)),
    )
    expect(outcomeOf(bad.id)).toMatchObject({ state: 'rejected' })
  })
  test('must be the very same command', async () => {
    const room = make.create('ada')
    const bad = make.send(room.subject, 'one', 'ada')
    await world.feed(room)
    await hold(bad)
    await world.feed(make.send(room.subject, 'another', 'ada', { ...again(bad.id), ...asked }))
    expect(outcomeOf(bad.id)).toMatchObject({ state: 'held' })
    expect(answers()).toMatchObject([{ state: 'rejected', code: 'command.id_reused' }])
  })
  test('that was never held is decided as any other, and what was cancelled stays so', async () => {
    const room = make.create('ada', { redrive: true })
    const hi = make.send(room.subject, 'hi', 'ada', { redrive: true })
    await world.store.claim({ actor: make.actor('ada'), id: hi.id, state: 'cancelled' })
    await world.feed(room, hi)
    expect(outcomeOf(room.id)).toMatchObject({ state: 'accepted' })
    expect(outcomeOf(hi.id)).toMatchObject({ state: 'cancelled' })
  })
  test('keeps the order in which it is redriven', async () => {
    const room = make.create('ada')
    await world.feed(room)
    const said = ['one', 'two', 'three'].map((text) => make.send(room.subject, text, 'ada'))
    for (const each of said) await hold(each)
    await world.feed(make.send(room.subject, 'meanwhile', 'ada'))
    await world.feed(
      ...['one', 'two', 'three'].map((text, n) => make.send(room.subject, text, 'ada', again(said[n]!.id))),
    )
    const texts = world.store.events.get(room.subject)!.map(({ happened }) => happened)
    expect(texts.slice(-4)).toMatchObject(
      ['meanwhile', 'one', 'two', 'three'].map((text) => ({ data: { text } })),
    )
  })
})

test('a cancelled command is not decided any more', async () => {
  const room = make.create('ada')
  await world.feed(room)
  const hi = make.send(room.subject, 'hi', 'ada', asked)
  const cancelled = {
    actor: make.actor('ada'),
    id: hi.id,
    state: 'cancelled',
    code: 'command.cancelled',
  } as const
  await world.store.claim(cancelled)
  await world.feed(hi)
  expect(answers()).toMatchObject([{ state: 'cancelled', code: 'command.cancelled' }])
  expect(world.store.events.get(room.subject)).toHaveLength(2)
})

test('streams begin by a creation in its place or by a follow-up, and by nothing else', async () => {
  await world.feed(
    make.create('gus', { guest: true }),
    make.send('room:nowhere', 'hi', 'ada'),
    make.join('room:nowhere', 'ada'),
    make.command('ada', 'chat.membership.add.v1', make.actor('ada'), { room: 'room:x', seq: 1 }),
    make.command('system:chat', 'chat.membership.add.v1', 'user:nobody', { room: 'room:x', seq: 1 }),
  )
  expect([...world.store.heads.keys()]).toEqual([GLOBAL_ROOM])
})

test('[C6] time does not go backwards with the clock', async () => {
  const room = make.create('ada')
  await world.feed(room)
  world.setClock(0)
  await world.feed(make.send(room.subject, 'hi', 'ada'))
  expect(faultsOf(eventsOf(world.log).filter(({ subject }) => subject === room.subject))).toEqual([])
})

describe('[C8] what is committed and not published', () => {
  test('after a lost answer is published again, and the repetition answered', async () => {
    const room = make.create('ada')
    await world.feed(room)
    const hi = make.send(room.subject, 'hi', 'ada', asked)
    for (const failing of ['refused', 'answer lost'] as const) {
      world.publisher.failing = failing
      await expect(world.feed(hi)).rejects.toBeInstanceOf(PassingFault)
    }
    world.publisher.failing = 'no'
    await world.feed(hi)
    const seqs = eventsOf(world.log).map(({ seq }) => seq)
    expect(seqs.slice(0, 3)).toEqual([1, 2, 3])
    expect(answers().at(-1)).toMatchObject({ state: 'accepted', seq: 3 })
    expect(world.store.heads.get(room.subject)).toMatchObject({ seq: 3, publishedSeq: 3 })
  })
  test('is published by the sweep, in order, follow-ups too', async () => {
    const room = make.create('ada')
    const texts = Array.from({ length: 1_200 }, (_, i) => make.send(room.subject, `${i}`, 'ada'))
    world.publisher.failing = 'refused'
    await expect(world.feed(room, ...texts)).rejects.toBeInstanceOf(PassingFault)
    world.publisher.failing = 'no'
    for (let partition = 0; partition < 12; partition++) await world.processor.sweep(partition)
    const published = eventsOf(world.log)
    expect(faultsOf(published.filter(({ subject }) => subject === room.subject))).toEqual([])
    expect(published).toHaveLength(1_202 + 1)
    expect(followUpsOf(world.log)).toHaveLength(1)
    expect([...world.store.heads.values()].every(({ seq, publishedSeq }) => seq === publishedSeq)).toBe(true)
  })
  test('goes before what comes next in the stream', async () => {
    const room = make.create('ada')
    world.publisher.failing = 'refused'
    await expect(world.feed(room)).rejects.toBeInstanceOf(PassingFault)
    world.publisher.failing = 'no'
    await world.feed(make.send(room.subject, 'hi', 'ada'))
    expect(eventsOf(world.log).map(({ seq }) => seq)).toEqual([1, 2, 3])
  })
  test('what is on the log is noted with the next batch of its stream, or when asked to; nothing goes out twice for it', async () => {
    const room = make.create('ada')
    const position = () => world.store.heads.get(room.subject)?.publishedSeq
    await world.feed(room)
    expect(position()).toBe(0)
    await world.feed(make.send(room.subject, 'hi', 'ada'))
    expect(position()).toBe(2)
    await world.processor.markPublished()
    expect(position()).toBe(3)
    await world.feed(make.send(room.subject, 'ho', 'ada'))
    for (let partition = 0; partition < 12; partition++) await world.processor.sweep(partition)
    expect(position()).toBe(4)
    const ours = eventsOf(world.log).filter(({ subject }) => subject === room.subject)
    expect(ours.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  })
  test('while the record is slow, noting what is on the log is asked of it once', async () => {
    const room = make.create('ada')
    const { promise: slow, resolve: goOn } = Promise.withResolvers<void>()
    let asked = 0
    const store = {
      ...world.store,
      markPublished: async () => {
        asked += 1
        await slow
      },
    }
    const processor = commandProcessor({ store, publisher: world.publisher, now: Date.now, newSalt })
    await processor.handle([room.record], calm)
    const all = Array.from({ length: 20 }, () => processor.markPublished())
    goOn()
    await Promise.all(all)
    expect(asked).toBe(1)
  })
  test('a published position does not jump over a hole', async () => {
    const room = make.create('ada')
    world.publisher.failing = 'refused'
    await expect(world.feed(room)).rejects.toBeInstanceOf(PassingFault)
    await world.store.markPublished([{ stream: room.subject, from: 2, upTo: 2 }])
    expect(world.store.heads.get(room.subject)).toMatchObject({ publishedSeq: 0 })
  })
})

test('a partition that was taken away is let go of', async () => {
  const gone = { ...calm, signal: AbortSignal.abort() }
  await expect(world.processor.handle([make.create('ada').record], gone)).rejects.toBeInstanceOf(PassingFault)
  expect(world.store.events.has(make.actor('ada'))).toBe(false)
})
