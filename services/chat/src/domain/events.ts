import {
  type CommandEnvelope,
  chainOf,
  dataHash,
  type EventType,
  eventId,
  type StreamEvent,
} from '@klatsch/contracts'
import type { NewEvent } from './decision.ts'

/** Where a stream ends. `time`: of its last event, milliseconds since the epoch; `messageNo`: messages so far. */
export interface StreamHead {
  readonly seq: number
  readonly chain: string
  readonly time: number
  readonly messageNo: number
  /** Events up to here are on `chat.events`. */
  readonly publishedSeq: number
}

export const emptyHead: StreamHead = { seq: 0, chain: '', time: 0, messageNo: 0, publishedSeq: 0 }

/** An event in its place. `bytes`: its exact text, which Postgres keeps, Kafka carries and sockets send. */
export interface SealedEvent {
  readonly stream: string
  readonly seq: number
  readonly id: string
  readonly type: EventType
  readonly actor: string
  readonly time: string
  readonly prevchain: string
  readonly chain: string
  readonly causationid: string
  readonly correlationid: string
  readonly happened: NewEvent
  readonly bytes: string
}

export type Cause = Pick<CommandEnvelope, 'id' | 'actor' | 'subject' | 'correlationid'>

/**
 * Gives what happened its place after `head`: the `index`-th event of its command, linked to the one before,
 * never earlier than it. `salt`: 16 random bytes, base64url.
 */
export function sealEvent(
  head: StreamHead,
  cause: Cause,
  index: number,
  happened: NewEvent,
  now: number,
  salt: string,
): { event: SealedEvent; head: StreamHead } {
  const at = Math.max(head.time, now)
  const place = {
    id: eventId(cause.actor, cause.id, index),
    type: happened.type,
    subject: cause.subject,
    time: new Date(at).toISOString(),
    seq: head.seq + 1,
    actor: cause.actor,
    datahash: dataHash(salt, happened.data),
    prevchain: head.chain,
  }
  const chain = chainOf(place)
  const { id, type, subject, time, seq, actor, datahash, prevchain } = place
  const causationid = cause.id
  const correlationid = cause.correlationid ?? cause.id
  const whole: StreamEvent = {
    specversion: '1.0',
    id,
    source: 'chat',
    type,
    subject,
    time,
    datacontenttype: 'application/json',
    seq,
    actor,
    causationid,
    correlationid,
    salt,
    datahash,
    prevchain,
    chain,
    data: happened.data,
  }
  return {
    event: {
      stream: subject,
      seq,
      id,
      type,
      actor,
      time,
      prevchain,
      chain,
      causationid,
      correlationid,
      happened,
      bytes: JSON.stringify(whole),
    },
    head: {
      seq,
      chain,
      time: at,
      messageNo: happened.type === 'chat.message.sent.v1' ? happened.data.messageNo : head.messageNo,
      publishedSeq: head.publishedSeq,
    },
  }
}
