import { type Cursor, chainOf, dataHash, type ServerFrame, type StreamEvent } from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { feedEventOfText } from './feed-event.ts'
import { createHub, type Hub } from './hub.ts'
import type { ChatQueries } from './queries.ts'
import type { Subscriber, Subscription } from './subscription.ts'
import { bodyOfTextFrame } from './text-frame.ts'
import { endOfTurn } from './turn.ts'

const subject = 'room:tea'
const user = '00000000-0000-4000-8000-000000000001'

/** Virtual time: tasks run in the order of their times, when the test says so. */
function virtualTime() {
  let now = 1_000_000
  const tasks = new Set<{ at: number; run: () => void }>()
  const scheduler: Scheduler = {
    now: () => now,
    after(ms, run) {
      const task = { at: now + ms, run }
      tasks.add(task)
      return () => tasks.delete(task)
    },
  }
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  async function pass(ms: number): Promise<void> {
    const until = now + ms
    for (await settle(); ; await settle()) {
      const next = [...tasks].filter((task) => task.at <= until).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      tasks.delete(next)
      now = Math.max(now, next.at)
      next.run()
    }
    now = until
  }
  return { scheduler, pass }
}

/** What Postgres has: the one truth. */
function truth() {
  const events: StreamEvent[] = []
  const texts: string[] = []
  return {
    texts,
    get head() {
      const last = events.at(-1)
      return last ? { seq: last.seq, chain: last.chain } : { seq: 0, chain: '' }
    },
    chainAt: (seq: number) => (seq === 0 ? '' : events[seq - 1]!.chain),
    append(
      type = 'chat.message.sent.v1',
      data: unknown = { text: `tea ${events.length}`, messageNo: events.length + 1 },
    ) {
      const seq = events.length + 1
      const id = `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`
      const fields = {
        subject,
        seq,
        id,
        type,
        actor: `user:${user}`,
        time: '2026-01-01T00:00:00.000Z',
        datahash: dataHash('s', data),
        prevchain: events.at(-1)?.chain ?? '',
      }
      const event: StreamEvent = {
        specversion: '1.0',
        source: 'chat',
        datacontenttype: 'application/json',
        causationid: id,
        correlationid: id,
        salt: 's',
        data,
        ...fields,
        chain: chainOf(fields),
      }
      events.push(event)
      texts.push(JSON.stringify(event))
      return feedEventOfText(texts.at(-1)!)
    },
  }
}

/** A socket that may stop reading, and keeps what it got. */
function reader() {
  const frames: (StreamEvent | ServerFrame)[] = []
  const self = {
    frames,
    userId: user,
    congested: false as boolean,
    closed: false,
    push(bytes: Buffer) {
      for (let at = 0; at < bytes.length; ) {
        const body = bodyOfTextFrame(bytes.subarray(at))
        const short = bytes[at + 1]!
        const length = short < 126 ? short : bytes.readUInt16BE(at + 2)
        frames.push(JSON.parse(body.subarray(0, length).toString()))
        at += (short < 126 ? 2 : 4) + length
      }
    },
    send: (frame: ServerFrame) => void frames.push(frame),
    ended() {},
  } satisfies Subscriber & { frames: unknown[] }
  return self
}

const seqs = (frames: readonly (StreamEvent | ServerFrame)[]) =>
  frames.flatMap((frame) => ('specversion' in frame ? [frame.seq] : []))

function hubOver(
  record: ReturnType<typeof truth>,
  time: ReturnType<typeof virtualTime>,
  latency: () => number,
): Hub {
  const late = async <T>(answer: () => T): Promise<T> => {
    const wait = latency()
    const asked = answer()
    await new Promise<void>((resolve) => time.scheduler.after(wait, resolve))
    if (wait > 900) throw new Error('chat is away')
    return asked
  }
  const queries: ChatQueries = {
    streams: () => late(() => []),
    heads: () => late(() => ({ [subject]: record.head })),
    events: (_subject, after, limit) =>
      late(() => ({ items: record.texts.slice(after, after + limit), head: record.head })),
  }
  return createHub({
    queries,
    scheduler: time.scheduler,
    random: () => 0.5,
    ringBytes: 20_000,
    warn() {},
    atEndOfTurn: endOfTurn((run) => queueMicrotask(run)),
  })
}

/** Asserts that what a reader got continues its cursor without hole or repetition, up to the head. */
function expectWhole(frames: readonly (StreamEvent | ServerFrame)[], cursor: Cursor, head: number): void {
  let at = cursor.seq
  for (const frame of frames) {
    if ('specversion' in frame) {
      expect(frame.seq).toBe(at + 1)
      at = frame.seq
    } else if (frame.type === 'reset') at = frame.head
    else if (frame.type === 'live') expect(frame.head).toBe(at)
  }
  expect(at).toBe(head)
}

test('[D5] whatever the log drops, doubles or reorders, and whoever reads slowly, everyone gets all of it once, in order', async () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('write' as const),
        how: fc.constantFrom('deliver', 'drop', 'double', 'hold'),
        count: fc.integer({ min: 1, max: 6 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('join' as const), back: fc.integer({ min: -3, max: 400 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('stall' as const), who: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), who: fc.nat() }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 400 }) }),
    },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 0, max: 600 }),
      fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1 }),
      async (steps, before, latencies) => {
        const time = virtualTime()
        const record = truth()
        for (let n = 0; n < before; n += 1) record.append()
        let asked = 0
        let calm = true
        const hub = hubOver(record, time, () => (calm ? 5 : latencies[asked++ % latencies.length]!))
        const opened = hub.track([subject])
        await time.pass(10)
        await opened
        calm = false
        const readers: { socket: ReturnType<typeof reader>; subscription: Subscription; cursor: Cursor }[] =
          []
        const join = (cursor: Cursor) => {
          const socket = reader()
          readers.push({ socket, cursor, subscription: hub.subscribe(socket, subject, 1, cursor) })
        }
        const held: ReturnType<typeof record.append>[] = []
        for (const each of steps) {
          switch (each.do) {
            case 'write': {
              const events = Array.from({ length: each.count }, () => record.append())
              if (each.how === 'deliver') hub.accept(events)
              if (each.how === 'double') hub.accept([...events, ...events])
              if (each.how === 'hold') held.push(...events)
              break
            }
            case 'release':
              hub.accept(held.reverse())
              held.length = 0
              break
            case 'join': {
              const seq = Math.max(0, Math.min(record.head.seq, record.head.seq - each.back))
              join({ seq, chain: record.chainAt(seq) })
              break
            }
            case 'stall':
              if (readers.length > 0) readers[each.who % readers.length]!.socket.congested = true
              break
            case 'read': {
              const one = readers[each.who % Math.max(1, readers.length)]
              if (!one) break
              one.socket.congested = false
              if (!one.subscription.live) hub.pull(one.subscription)
              break
            }
            case 'pass':
              await time.pass(each.ms)
          }
        }
        calm = true
        await time.pass(2_000)
        join({ seq: 0, chain: '' })
        for (const { socket, subscription } of readers) {
          socket.congested = false
          if (!subscription.live) hub.pull(subscription)
        }
        await time.pass(60_000)
        for (const { socket, cursor, subscription } of readers) {
          expect(subscription.live).toBe(true)
          expectWhole(socket.frames, cursor, record.head.seq)
        }
        hub.close()
      },
    ),
    { numRuns: 300 },
  )
})

test('[W4] a cursor of another history, or from the future, is sent to a fresh page', async () => {
  const time = virtualTime()
  const record = truth()
  for (let n = 0; n < 300; n += 1) record.append()
  const hub = hubOver(record, time, () => 1)
  const tracked = hub.track([subject])
  await time.pass(10)
  await tracked
  for (const cursor of [
    { seq: 300, chain: 'other' },
    { seq: 200, chain: 'other' },
    { seq: 9_999, chain: 'x' },
  ]) {
    const socket = reader()
    hub.subscribe(socket, subject, 1, cursor)
    await time.pass(1_000)
    expect(socket.frames).toEqual([
      { type: 'reset', subject, reason: 'fork', from: 101, head: 300 },
      { type: 'live', subject, head: 300 },
    ])
  }
  hub.close()
})

test('[D8] who leaves gets the event that says so, and nothing after it, even where it comes in one go', async () => {
  const time = virtualTime()
  const record = truth()
  const hub = hubOver(record, time, () => 1)
  const tracked = hub.track([subject])
  await time.pass(10)
  await tracked
  const [fast, slow] = [reader(), reader()]
  hub.subscribe(fast, subject, 1, undefined)
  const behind = hub.subscribe(slow, subject, 1, undefined)
  await time.pass(10)
  slow.congested = true
  const said = record.append()
  const left = record.append('chat.member.left.v1', { user })
  const after = record.append()
  hub.accept([after, said, left])
  await time.pass(500)
  slow.congested = false
  hub.pull(behind)
  await time.pass(500)
  for (const socket of [fast, slow]) {
    expect(seqs(socket.frames)).toEqual([1, 2])
    expect(socket.frames.at(-1)).toEqual({ type: 'unfollowed', subject, code: 'left', seq: 2 })
  }
  hub.close()
})
