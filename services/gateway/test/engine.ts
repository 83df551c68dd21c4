import {
  type Cursor,
  chainOf,
  dataHash,
  emptyTip,
  type ServerFrame,
  type StreamEvent,
  type StreamTip,
} from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'
import { expect } from 'vitest'
import { feedEventOfText } from '../src/connections/feed-event.ts'
import { createHub, type Hub } from '../src/connections/hub.ts'
import type { ChatQueries } from '../src/connections/queries.ts'
import type { Subscriber } from '../src/connections/subscription.ts'
import { bodyOfTextFrame } from '../src/connections/text-frame.ts'
import { endOfTurn } from '../src/connections/turn.ts'

export const subject = 'room:tea'
export const user = '00000000-0000-4000-8000-000000000001'
/** As Postgres would answer when asked before anything was written. */
export const readable = { subject, first: 1, head: emptyTip }

/** Virtual time: tasks run in the order of their times, when the test says so. */
export function virtualTime() {
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
export function truth() {
  const events: StreamEvent[] = []
  const texts: string[] = []
  const messages = () => events.filter((event) => event.type === 'chat.message.sent.v1').length
  return {
    texts,
    events,
    get head(): StreamTip {
      const last = events.at(-1)
      if (!last) return emptyTip
      return { seq: last.seq, chain: last.chain, messageNo: messages(), time: last.time }
    },
    /** A failover to a replica that lagged: the history is another one. */
    become(other: { texts: readonly string[]; events: readonly StreamEvent[] }) {
      texts.splice(0, texts.length, ...other.texts)
      events.splice(0, events.length, ...other.events)
    },
    chainAt: (seq: number) => (seq === 0 ? '' : events[seq - 1]!.chain),
    append(
      type = 'chat.message.sent.v1',
      data: unknown = { text: `tea ${events.length}`, messageNo: messages() + 1 },
    ) {
      const seq = events.length + 1
      const id = `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`
      const fields = {
        subject,
        seq,
        id,
        type,
        actor: `user:${user}`,
        time: new Date(Date.UTC(2026, 0, 1) + seq * 1_000).toISOString(),
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

/** The frames in these bytes, parsed. */
export function framesOf(bytes: Buffer): (StreamEvent & ServerFrame)[] {
  const frames: (StreamEvent & ServerFrame)[] = []
  for (let at = 0; at < bytes.length; ) {
    const body = bodyOfTextFrame(bytes.subarray(at))
    const short = bytes[at + 1]!
    const length = short < 126 ? short : bytes.readUInt16BE(at + 2)
    frames.push(JSON.parse(body.subarray(0, length).toString()))
    at += (short < 126 ? 2 : 4) + length
  }
  return frames
}

/** A socket that may stop reading, and keeps what it got. */
export function reader() {
  const frames: (StreamEvent | ServerFrame)[] = []
  const self = {
    frames,
    userId: user,
    congested: false as boolean,
    crowded: false as boolean,
    closed: false,
    push: (bytes: Buffer) => void frames.push(...framesOf(bytes)),
    send: (frame: ServerFrame) => void frames.push(frame),
    doubts: 0,
    doubted() {
      self.doubts += 1
    },
    ended() {},
  } satisfies Subscriber & { frames: unknown[]; doubts: number }
  return self
}

export const seqs = (frames: readonly (StreamEvent | ServerFrame)[]) =>
  frames.flatMap((frame) => ('specversion' in frame ? [frame.seq] : []))

export function hubOver(
  record: ReturnType<typeof truth>,
  time: ReturnType<typeof virtualTime>,
  latency: () => number,
  readable: () => boolean = () => true,
): Hub {
  const late = async <T>(answer: () => T): Promise<T> => {
    const wait = latency()
    const asked = answer()
    await new Promise<void>((resolve) => time.scheduler.after(wait, resolve))
    if (wait > 900) throw new Error('chat is away')
    return asked
  }
  const queries: ChatQueries = {
    streams: (questions) =>
      late(() => questions.map(() => (readable() ? [{ subject, first: 1, head: record.head }] : []))),
    heads: () => late(() => ({ [subject]: record.head })),
    events: (pages) =>
      late(() =>
        pages.map(({ after, limit }) => ({
          items: record.texts.slice(after, after + limit),
          head: record.head,
        })),
      ),
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
export function expectWhole(
  frames: readonly (StreamEvent | ServerFrame)[],
  cursor: Cursor,
  head: number,
): void {
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
