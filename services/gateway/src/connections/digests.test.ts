import { type Digest, digestSchema } from '@klatsch/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hubOver, readable, reader, seqs, subject, truth, user, virtualTime } from '../../test/engine.ts'

async function room(events = 3) {
  const time = virtualTime()
  const record = truth()
  for (let n = 0; n < events; n += 1) record.append()
  const hub = hubOver(record, time, () => 1)
  const tracked = hub.ask(user, [subject])
  await time.pass(10)
  await tracked
  return { time, record, hub }
}

const digests = (socket: ReturnType<typeof reader>): Digest[] =>
  socket.frames.filter((frame) => 'specversion' in frame).map((frame) => digestSchema.parse(frame))
const heads = (socket: ReturnType<typeof reader>) => digests(socket).map(({ data }) => data.head)

test('[W8] a digest says how far the stream is: the first one at once, in place of its events', async () => {
  const { time, record, hub } = await room()
  record.append('chat.member.joined.v1', { user })
  hub.accept([])
  hub.heard(subject, 4)
  await time.pass(500)
  const socket = reader()
  hub.subscribe(socket, readable, { seq: 0 }, 'digest')
  expect(digests(socket)).toEqual([
    {
      specversion: '1.0',
      id: 'room:tea-4',
      source: 'gateway',
      type: 'chat.stream.digest.v1',
      subject,
      time: '2026-01-01T00:00:04.000Z',
      datacontenttype: 'application/json',
      data: { head: 4, messageNo: 3, lastActivity: '2026-01-01T00:00:04.000Z' },
    },
  ])
  expect(socket.frames).toHaveLength(1)
  hub.close()
})

test('[W8] at most one a second after the first, the latest only, and the last word is always said', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ wait: fc.integer({ min: 0, max: 1_500 }), count: fc.integer({ min: 1, max: 4 }) }),
        {
          maxLength: 30,
        },
      ),
      async (bursts) => {
        const { time, record, hub } = await room()
        const [one, two] = [reader(), reader()]
        hub.subscribe(one, readable, undefined, 'digest')
        hub.subscribe(two, readable, undefined, 'digest')
        const told: { at: number; head: number }[] = []
        const look = () => {
          const head = heads(one).at(-1)!
          if (told.at(-1)?.head !== head) told.push({ at: time.scheduler.now(), head })
        }
        for (const { wait, count } of bursts) {
          for (let ms = 0; ms < wait; ms += 50) {
            await time.pass(50)
            look()
          }
          hub.accept(Array.from({ length: count }, () => record.append()))
          await time.pass(1)
          look()
        }
        await time.pass(2_000)
        look()
        expect(told.at(-1)!.head).toBe(record.head.seq)
        expect(digests(one).at(-1)!.data.messageNo).toBe(record.head.messageNo)
        // The first one answers the following; the look itself is good to 50 ms.
        for (let at = 2; at < told.length; at += 1)
          expect(told[at]!.at - told[at - 1]!.at).toBeGreaterThan(900)
        expect(heads(one)).toEqual([...new Set(heads(one))])
        expect(heads(two)).toEqual(heads(one))
        hub.close()
      },
    ),
    { numRuns: 50 },
  )
})

test('[W8] a digest is built once, whoever gets it', async () => {
  const { hub, record, time } = await room()
  const frames = new Set<Buffer>()
  for (let n = 0; n < 5; n += 1) {
    hub.subscribe({ ...reader(), push: (bytes) => void frames.add(bytes) }, readable, undefined, 'digest')
  }
  expect(frames.size).toBe(1)
  hub.accept([record.append()])
  await time.pass(10)
  expect(frames.size).toBe(2)
  expect(hub.counts.digests).toBe(10)
  hub.close()
})

test('[W8] [D8] who left gets no later digest, and is told so', async () => {
  const { hub, record, time } = await room()
  const [gone, stays] = [reader(), { ...reader(), userId: 'someone else' }]
  hub.subscribe(gone, readable, undefined, 'digest')
  hub.subscribe(stays, readable, undefined, 'digest')
  hub.accept([record.append(), record.append('chat.member.left.v1', { user }), record.append()])
  await time.pass(5_000)
  hub.accept([record.append()])
  await time.pass(5_000)
  expect(heads(gone)).toEqual([3])
  expect(gone.frames.at(-1)).toEqual({ type: 'unfollowed', subject, code: 'left', seq: 5 })
  expect(digests(stays as typeof gone).at(-1)!.data.head).toBe(7)
  hub.close()
})

test('[S1] [W8] a crowded socket is told the latest digest once there is room; events are pushed to it all the while', async () => {
  const { hub, record, time } = await room()
  const [digested, full] = [reader(), reader()]
  const subscription = hub.subscribe(digested, readable, undefined, 'digest')
  hub.subscribe(full, readable, undefined, 'full')
  digested.crowded = true
  full.crowded = true
  for (let n = 0; n < 3; n += 1) {
    hub.accept([record.append()])
    await time.pass(2_000)
  }
  expect(heads(digested)).toEqual([3])
  expect(seqs(full.frames)).toEqual([4, 5, 6])
  expect(hub.counts.passingDropped).toBe(3)
  digested.crowded = false
  hub.pull(subscription)
  hub.pull(subscription)
  expect(heads(digested)).toEqual([3, 6])
  hub.close()
})

test('[W8] a history that became another is told, even at the same seq', async () => {
  const { hub, record, time } = await room()
  const socket = reader()
  hub.subscribe(socket, readable, undefined, 'digest')
  const other = truth()
  for (let n = 0; n < 2; n += 1) other.append('chat.member.joined.v1', { user: 'x' })
  other.append()
  record.become(other)
  // Found when heads are compared.
  await time.pass(30_000)
  expect(digests(socket).map(({ data }) => data)).toMatchObject([
    { head: 3, messageNo: 3 },
    { head: 3, messageNo: 1 },
  ])
  expect(socket.doubts).toBe(1)
  hub.close()
})

test('[D8] a membership that ended while Postgres was asked is no membership', async () => {
  const { hub, record, time } = await room()
  const asked = { ...readable, head: record.head }
  expect(hub.mayStillRead(user, asked)).toBe(true)
  hub.accept([record.append(), record.append('chat.member.left.v1', { user })])
  await time.pass(10)
  expect(hub.mayStillRead(user, asked)).toBe(false)
  expect(hub.mayStillRead('someone else', asked)).toBe(true)
  hub.accept([record.append('chat.member.joined.v1', { user })])
  await time.pass(10)
  expect(hub.mayStillRead(user, asked)).toBe(true)
  hub.accept(Array.from({ length: 300 }, () => record.append()))
  await time.pass(10)
  expect(hub.mayStillRead(user, asked)).toBeUndefined()
  hub.close()
})

test('[D8] what ended before Postgres said that one is a member ends nothing', async () => {
  const { hub, record, time } = await room()
  const left = record.append('chat.member.left.v1', { user })
  const joined = record.append('chat.member.joined.v1', { user })
  const socket = reader()
  hub.subscribe(socket, { ...readable, head: record.head }, { seq: 3 }, 'full')
  hub.accept([left, joined, record.append()])
  await time.pass(500)
  expect(seqs(socket.frames)).toEqual([4, 5, 6])
  hub.close()
})
