import { chainOf, dataHash, eventId, type StreamEvent, userSubject } from '@klatsch/contracts'

const AUTHOR = '00000000-0000-4000-8000-000000000002'
const commandId = (n: number): string => `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`

export interface EventOptions {
  readonly actor?: string
  readonly causationid?: string
  readonly text?: string
}

/** The next event of a stream after `before`, genuine in every field. */
export function eventAfter(
  before: { subject: string; seq: number; chain: string },
  options: EventOptions = {},
): StreamEvent {
  const seq = before.seq + 1
  const actor = options.actor ?? userSubject(AUTHOR)
  const causationid = options.causationid ?? commandId(seq)
  const data = { text: options.text ?? `text ${seq}`, messageNo: seq }
  const salt = `salt ${seq}`
  const chained = {
    subject: before.subject,
    seq,
    id: eventId(actor, causationid, 0),
    type: 'chat.message.sent.v1',
    actor,
    time: new Date(1_700_000_000_000 + seq).toISOString(),
    datahash: dataHash(salt, data),
    prevchain: before.chain,
  }
  return {
    specversion: '1.0',
    source: 'chat',
    datacontenttype: 'application/json',
    causationid,
    correlationid: causationid,
    salt,
    data,
    ...chained,
    chain: chainOf(chained),
  }
}

/** A stream's first `length` events. Two with another `text` are two histories of the same stream. */
export function history(subject: string, length: number, text = 'text'): StreamEvent[] {
  const events: StreamEvent[] = []
  for (let head = { subject, seq: 0, chain: '' }; events.length < length; head = events.at(-1)!) {
    events.push(eventAfter(head, { text: `${text} ${head.seq + 1}` }))
  }
  return events
}
