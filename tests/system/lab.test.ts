import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  eventId,
  followUpId,
  type LabFollow,
  type LabJob,
  type LabRecords,
  type LabTopic,
  topics,
} from '@klatsch/contracts'
import { kafkaEventBus } from '@klatsch/event-bus'
import { v4, v7 } from 'uuid'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { type AskLab, laboratory } from './administrator.ts'
import { call, guest, registered, roomOf, type TestPerson } from './people.ts'
import { acked, enter, sendFrame } from './wire.ts'

// Looks into the stack, which only the one of these tests allows.
describe.skipIf(inject('stack').dataDir === '')('the laboratory', () => {
  let ada: TestPerson
  let ask: AskLab
  beforeAll(async () => {
    ada = await registered()
    ask = await laboratory()
  })

  const until = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
    for (const end = Date.now() + 30_000; Date.now() < end; ) {
      const found = await look()
      if (found !== undefined) return found
    }
    throw new Error('waited in vain')
  }

  test('is for administrators: at the gateway, and behind it', async () => {
    const visitor = await guest()
    const paths = ['/topics', `/follow/${v7()}`, '/dlq', '/audit', '/topics/chat.events/records', '/nothing']
    const run = JSON.parse(readFileSync(join(inject('stack').dataDir, 'run.json'), 'utf8'))
    for (const path of paths) {
      expect((await call('GET', `/api/lab${path}`)).body).toMatchObject({
        status: 401,
        code: 'auth.required',
      })
      for (const token of [ada.token, visitor.token]) {
        const answer = await call('GET', `/api/lab${path}`, { token })
        expect(answer.body).toMatchObject({ status: 403, code: 'auth.forbidden' })
        const past = await fetch(`${run.internal.lab}/api/lab${path}`, {
          headers: { authorization: `Bearer ${token}` },
        })
        expect(await past.json()).toMatchObject({ status: 403, code: 'auth.forbidden' })
      }
      const nobody = await fetch(`${run.internal.lab}/api/lab${path}`)
      expect(await nobody.json()).toMatchObject({ status: 401, code: 'auth.required' })
    }
    expect((await ask('/nothing')).body).toMatchObject({ status: 404, code: 'request.not_found' })
  })

  test('lists topics with their ends, groups with their lag, and in time how fast they grow', async () => {
    const { items } = (await ask('/topics')).body as { items: LabTopic[] }
    expect(items.map(({ topic }) => topic)).toEqual(
      expect.arrayContaining(Object.values(topics).map(({ name }) => name)),
    )
    const commands = items.find(({ topic }) => topic === topics.commands.name)!
    expect(commands.partitions).toHaveLength(topics.commands.partitions)
    expect(commands.groups).toEqual([{ group: 'chat', state: 'Stable', members: 1, lag: expect.any(Number) }])
    const rate = await until(async () => {
      const again = (await ask('/topics')).body.items as LabTopic[]
      return again.find(({ topic }) => topic === topics.presenceSignals.name)?.perSecond
    })
    expect(rate).toBeGreaterThanOrEqual(0)
  })

  test('follows one command through every topic and table', async () => {
    const room = await roomOf(ada)
    const wire = await enter(ada.token)
    const id = v7()
    const seq = await acked(wire, sendFrame(id, room, 'follow me'))
    wire.close()
    const way = (await ask(`/follow/${id}`)).body as LabFollow
    expect(way).toMatchObject({
      id,
      actor: ada.actor,
      subject: room,
      type: 'chat.message.send.v1',
      state: 'accepted',
      complete: true,
    })
    expect(way.steps.map(({ kind }) => kind).sort()).toEqual(['command', 'decided', 'event'])
    expect(way.steps.find(({ kind }) => kind === 'event')).toMatchObject({
      what: `chat.message.sent.v1 #${seq}`,
      record: { topic: 'chat.events', key: room, offset: expect.stringMatching(/^\d+$/) },
    })
    const tables = way.rows.map(({ table }) => table)
    expect(tables).toEqual(
      expect.arrayContaining([
        'command_outcomes',
        'streams',
        'stream_events',
        'messages',
        'rooms',
        'room_members',
      ]),
    )
    expect(way.rows.find(({ table }) => table === 'messages')!.row).toMatchObject({ text: 'follow me', seq })
  })

  test('follows what a command made known to another stream, and a refusal to its reply', async () => {
    const bob = await registered()
    const room = await roomOf(ada)
    const wire = await enter(bob.token)
    const join = v7()
    await acked(wire, { type: 'command', id: join, command: 'chat.room.join.v1', subject: room, data: {} })
    const kinds = await until(async () => {
      const steps = ((await ask(`/follow/${join}`)).body as LabFollow).steps.map(({ kind }) => kind)
      return steps.includes('follow-up-event') ? steps : undefined
    })
    expect(kinds).toEqual(expect.arrayContaining(['command', 'decided', 'event', 'follow-up']))
    // By the ids of what came of it, too.
    const joined = eventId(bob.actor, join, 0)
    const told = followUpId(joined, 'membership.add')
    const added = eventId('system:chat', told, 0)
    for (const [id, kind, topic] of [
      [joined, 'event', 'chat.events'],
      [told, 'follow-up', 'chat.commands'],
      [added, 'event', 'chat.events'],
    ] as const) {
      const same = (await ask(`/follow/${id}`)).body as LabFollow
      expect(same).toMatchObject({ id: join, actor: bob.actor, askedFor: { id, kind, record: { topic } } })
      expect(same.steps.map((step) => step.kind)).toEqual(kinds)
    }

    const elsewhere = await roomOf(ada, [], { visibility: 'private' })
    const refused = sendFrame(v7(), elsewhere, 'let me in')
    wire.send(refused)
    await wire.answer(refused.id)
    wire.close()
    const way = (await ask(`/follow/${refused.id}`)).body as LabFollow
    expect(way).toMatchObject({ state: 'rejected', code: 'room.not_found' })
    expect(way.steps.find(({ kind }) => kind === 'reply')).toMatchObject({ what: 'rejected: room.not_found' })
  })

  test('says so when there is nothing to follow', async () => {
    expect((await ask(`/follow/${v7()}`)).body).toMatchObject({ status: 404, code: 'request.not_found' })
    expect((await ask(`/follow/${v4()}`)).body).toMatchObject({ status: 404, code: 'request.not_found' })
    expect((await ask('/follow/nonsense')).body).toMatchObject({ status: 400, code: 'request.invalid' })
  })

  test('finds records by key, type, actor, room and text, page by page, and the newest', async () => {
    const room = await roomOf(ada)
    const wire = await enter(ada.token)
    for (let n = 1; n <= 5; n++) await acked(wire, sendFrame(v7(), room, `needle ${n}`))
    wire.close()
    const records = async (query: Record<string, string>): Promise<LabRecords> =>
      (await ask(`/topics/chat.events/records?${new URLSearchParams(query)}`)).body
    const textsOf = ({ items }: LabRecords) =>
      items.map(({ value }) => (value as { data: { text?: string } }).data.text)

    const said = { room, type: 'chat.message', actor: ada.actor, text: 'NEEDLE' }
    expect(textsOf(await records({ ...said, from: 'begin' }))).toEqual(
      [1, 2, 3, 4, 5].map((n) => `needle ${n}`),
    )
    expect(textsOf(await records({ ...said, from: 'last:1000', limit: '2' }))).toEqual([
      'needle 4',
      'needle 5',
    ])
    const first = await records({ ...said, key: room, from: 'begin', limit: '2' })
    expect(textsOf(first)).toEqual(['needle 1', 'needle 2'])
    const second = await records({ ...said, key: room, from: first.next!, limit: '3' })
    expect(textsOf(second)).toEqual(['needle 3', 'needle 4', 'needle 5'])
    expect(textsOf(await records({ text: 'in no record at all', from: 'begin' }))).toEqual([])
    expect((await ask('/topics/no.such.topic/records')).body).toMatchObject({ code: 'request.not_found' })
    expect((await ask('/topics/chat.events/records?from=tuesday')).body).toMatchObject({
      code: 'request.invalid',
    })
    expect((await ask('/topics/chat.events/records?partition=99')).body).toMatchObject({
      code: 'request.invalid',
    })
  })

  test('says what is in the dead letters, and why', async () => {
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const bus = kafkaEventBus({ brokers: [inject('stack').brokers], clientId: 'test', log })
    const publisher = await bus.publisher()
    const key = `room:${v7()}`
    await publisher.publish([{ topic: topics.commands.name, key, value: 'no command', headers: {} }])
    await bus.close()
    const letters = await until(async () => {
      const { items } = (await ask(`/dlq?${new URLSearchParams({ key })}`)).body
      return items.length > 0 ? items : undefined
    })
    expect(letters).toEqual([
      expect.objectContaining({
        code: 'command.invalid',
        error: 'not JSON',
        attempts: expect.stringMatching(/^\d+$/),
        origin: expect.objectContaining({ topic: 'chat.commands', group: 'chat' }),
        record: expect.objectContaining({ topic: 'chat.commands.dlq', key, value: 'no command' }),
      }),
    ])
    const { kinds } = (await ask('/dlq?code=command.invalid')).body
    expect(kinds[0]).toMatchObject({ topic: 'chat.commands.dlq', group: 'chat', code: 'command.invalid' })
  })

  const finished = (id: string) =>
    until(async () => {
      const job = (await ask(`/jobs/${id}`)).body as LabJob
      return job.state === 'running' ? undefined : job
    })

  test('[D9] redrives what is held, in order, once, when the fault is over; first it says what it would do', async () => {
    const room = await roomOf(ada)
    const wire = await enter(ada.token, { follow: [room] })
    const order = { point: 'chat.persist', effect: { kind: 'error' }, who: { rooms: [room] }, forMs: 60_000 }
    await until(async () => {
      const { instances } = (await ask('/faults')).body
      return instances.some(({ service }: { service: string }) => service === 'chat') ? true : undefined
    })
    const fault = (await ask('/faults', { method: 'POST', body: order })).body
    const held = ['one', 'two', 'three'].map((text) => sendFrame(v7(), room, text))
    for (const frame of held) {
      wire.send(frame)
      expect(await wire.answer(frame.id)).toMatchObject({ code: 'command.held' })
    }
    const redrive = (body: object) => ask('/dlq/redrive', { method: 'POST', body: { key: room, ...body } })
    const letters = await until(async () => {
      const { items } = (await ask(`/dlq?${new URLSearchParams({ key: room })}`)).body
      return items.length === 3 ? items : undefined
    })
    expect(letters.map(({ state }: { state: string }) => state)).toEqual(['held', 'held', 'held'])

    expect((await redrive({ dryRun: true })).body).toMatchObject({ count: 3, skipped: 0 })
    expect((await ask(`/faults/${fault.rule.id}`, { method: 'DELETE' })).body.state).toBe('halted')
    await acked(wire, sendFrame(v7(), room, 'meanwhile'))
    await expect.poll(() => wire.events(room).length).toBe(1)

    const { status, body } = await redrive({})
    expect([status, body.count]).toEqual([202, 3])
    expect(await finished(body.job.id)).toMatchObject({ state: 'done', total: 3, done: 3 })
    await wire.first((frame) => 'specversion' in frame && frame.causationid === held[2]!.id)
    const texts = wire.events(room).map(({ data }) => (data as { text: string }).text)
    expect(texts).toEqual(['meanwhile', 'one', 'two', 'three'])
    expect((await redrive({})).body).toMatchObject({ count: 0, skipped: 3 })
    const way = (await ask(`/follow/${held[0]!.id}`)).body as LabFollow
    expect(way.state).toBe('accepted')
    expect(way.steps.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['command', 'attempt', 'reply', 'dead-letter', 'decided', 'event']),
    )
    expect(way.steps.filter(({ kind }) => kind === 'command')).toHaveLength(2)
    wire.close()
  })

  test("copies a range of records into a topic that is nobody else's", async () => {
    const room = await roomOf(ada)
    const wire = await enter(ada.token)
    for (let n = 0; n < 5; n++) await acked(wire, sendFrame(v7(), room, `copy ${n}`))
    wire.close()
    const target = `study.${v7()}`
    const order = { topic: 'chat.events', key: room, type: 'chat.message', target }
    const replay = (body: object) => ask('/replay', { method: 'POST', body: { ...order, ...body } })
    for (const name of ['chat.events', 'lab.faults', 'presence', 'Upper'])
      expect((await replay({ target: name })).body).toMatchObject({ status: 400, code: 'request.invalid' })
    expect((await replay({ dryRun: true })).body).toMatchObject({ count: 5 })
    expect((await ask(`/topics/${target}/records`)).body).toMatchObject({ code: 'request.not_found' })
    const { job } = (await replay({})).body
    expect(await finished(job.id)).toMatchObject({ state: 'done', done: 5 })
    const { items } = await until(async (): Promise<LabRecords | undefined> => {
      const copied = await ask(`/topics/${target}/records?from=begin`)
      return copied.status === 200 ? copied.body : undefined
    })
    expect(items.map(({ value }) => (value as { data: { text: string } }).data.text)).toEqual(
      [0, 1, 2, 3, 4].map((n) => `copy ${n}`),
    )
    expect(items[0]!.headers.replayof).toMatch(/^chat\.events\[\d+\]@\d+$/)
    const { items: audit } = (await ask('/audit')).body
    expect(audit.find(({ action }: { action: string }) => action === 'replay')).toMatchObject({
      detail: { target },
    })
  })

  test('keeps a record of what is done in it', async () => {
    const { items } = (await ask('/audit?limit=500')).body
    expect(items.at(-1)).toMatchObject({ action: 'lab.started', actor: 'system:lab' })
  })
})
