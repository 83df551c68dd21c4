import { headers, type KnownEvent, streamEventSchema } from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'
import type { Linked } from '@klatsch/streams'
import { bodyOfTextFrame, textFrame } from './text-frame.ts'

/** An event on its way to sockets: what routing needs, and the finished frame. The body is not parsed. */
export interface FeedEvent extends Linked {
  readonly subject: string
  readonly type: string
  /** RFC 3339. */
  readonly time: string
  /** Of a message: its number in the room. */
  readonly messageNo: number | undefined
  /** The WebSocket frame, header and payload, the same bytes for every socket. */
  readonly frame: Buffer
}

/** From a record of `chat.events`, by key and headers alone; undefined when they are not of that form. */
export function feedEventOf(record: IncomingRecord): FeedEvent | undefined {
  const h = record.headers
  const seq = Number(h[headers.seq])
  const chain = h[headers.chain]
  const type = h[headers.type]
  if (!Number.isSafeInteger(seq) || seq < 1 || !chain || !type) return undefined
  return {
    subject: record.key,
    seq,
    prevchain: h[headers.prevchain] ?? '',
    chain,
    type,
    time: h[headers.time] ?? new Date(record.timestamp).toISOString(),
    messageNo: h[headers.messageNo] === undefined ? undefined : Number(h[headers.messageNo]),
    frame: textFrame(record.value),
  }
}

/** From the text of an event as `chat` keeps it: the same bytes as on the log, which it wrote itself. */
export function feedEventOfText(text: string): FeedEvent {
  const event = JSON.parse(text) as KnownEvent
  const { subject, seq, prevchain, chain, type, time } = event
  const messageNo = type === 'chat.message.sent.v1' ? event.data.messageNo : undefined
  return { subject, seq, prevchain, chain, type, time, messageNo, frame: textFrame(Buffer.from(text)) }
}

/** The event itself, parsed: for the few that the gateway must understand (memberships, answers to REST writes). */
export function parseFeedEvent(event: FeedEvent) {
  return streamEventSchema.parse(JSON.parse(bodyOfTextFrame(event.frame).toString()))
}
