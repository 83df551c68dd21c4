import { randomUUID } from 'node:crypto'
import { CLOUDEVENTS_JSON, chainOf, dataHash, eventId, headers, type StreamEvent } from '@klatsch/contracts'

export interface StreamPlace {
  readonly subject: string
  readonly seq: number
  readonly chain: string
}

export interface MadeEvent extends StreamPlace {
  /** The value of the record and the payload of the frame. */
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/** 16 bytes, base64url; what a salt looks like. */
const SALT = 'AAAAAAAAAAAAAAAAAAAAAA'

/** A message event that follows upon `place`: as `chat` makes them, so that nobody can tell. */
export function makeEvent(place: StreamPlace, actor: string, text: string, time: string): MadeEvent {
  const command = randomUUID()
  const type = 'chat.message.sent.v1'
  const data = { text, messageNo: place.seq + 1 }
  const chained = {
    subject: place.subject,
    seq: place.seq + 1,
    id: eventId(actor, command, 0),
    type,
    actor,
    time,
    datahash: dataHash(SALT, data),
    prevchain: place.chain,
  }
  const chain = chainOf(chained)
  const event: StreamEvent = {
    specversion: '1.0',
    id: chained.id,
    source: 'chat',
    type,
    subject: chained.subject,
    time,
    datacontenttype: 'application/json',
    seq: chained.seq,
    actor,
    causationid: command,
    correlationid: command,
    salt: SALT,
    datahash: chained.datahash,
    prevchain: place.chain,
    chain,
    data,
  }
  return {
    subject: chained.subject,
    seq: chained.seq,
    chain,
    value: Buffer.from(JSON.stringify(event)),
    headers: {
      [headers.contentType]: CLOUDEVENTS_JSON,
      [headers.type]: type,
      [headers.seq]: String(chained.seq),
      [headers.prevchain]: place.chain,
      [headers.chain]: chain,
      [headers.causationId]: command,
      [headers.actor]: actor,
      [headers.replyTo]: 'another-gateway',
      [headers.requestId]: '1',
    },
  }
}
