import { CLOUDEVENTS_JSON, type CommandEnvelope, headers, topics } from '@klatsch/contracts'
import type { OutgoingRecord, Publisher } from '@klatsch/event-bus'
import type { Answer, Emitted, Origin } from '../domain/batch.ts'
import { followUpsOf } from '../domain/follow-ups.ts'

/**
 * Publishes events, then what other streams must learn of them, then answers: in one call, so that all of it is on
 * the log when it resolves, events of a stream in the order given.
 */
export async function announce(
  publisher: Publisher,
  emitted: readonly Emitted[],
  answers: readonly Answer[],
): Promise<void> {
  const records = emitted.map(eventRecord)
  for (const { event, origin } of emitted) {
    for (const command of followUpsOf(event)) records.push(commandRecord(command, origin?.traceparent))
  }
  for (const answer of answers) records.push(replyRecord(answer))
  if (records.length > 0) await publisher.publish(records)
}

function eventRecord({ event, origin }: Emitted): OutgoingRecord {
  return {
    topic: topics.events.name,
    key: event.stream,
    value: event.bytes,
    headers: withOrigin(
      {
        [headers.contentType]: CLOUDEVENTS_JSON,
        [headers.type]: event.type,
        [headers.seq]: String(event.seq),
        [headers.prevchain]: event.prevchain,
        [headers.chain]: event.chain,
        [headers.causationId]: event.causationid,
        [headers.actor]: event.actor,
        [headers.time]: event.time,
        ...messageNoOf(event),
      },
      origin,
    ),
  }
}

const messageNoOf = ({ happened }: Emitted['event']): Record<string, string> =>
  happened.type === 'chat.message.sent.v1' ? { [headers.messageNo]: String(happened.data.messageNo) } : {}

/** Adds who asked, and of which trace it is. */
function withOrigin(given: Record<string, string>, origin: Origin | undefined): Record<string, string> {
  if (origin?.replyTo !== undefined) given[headers.replyTo] = origin.replyTo
  if (origin?.requestId !== undefined) given[headers.requestId] = origin.requestId
  if (origin?.traceparent !== undefined) given[headers.traceparent] = origin.traceparent
  return given
}

/** A command of chat's own making, on its way to the stream it is about. */
export function commandRecord(command: CommandEnvelope, traceparent?: string): OutgoingRecord {
  return {
    topic: topics.commands.name,
    key: command.subject,
    value: JSON.stringify(command),
    headers: withOrigin(
      {
        [headers.contentType]: CLOUDEVENTS_JSON,
        [headers.type]: command.type,
        [headers.actor]: command.actor,
      },
      { traceparent },
    ),
  }
}

function replyRecord({ reply, origin }: Answer): OutgoingRecord {
  return {
    topic: topics.replies.name,
    key: origin.replyTo ?? '',
    value: JSON.stringify(reply),
    headers: withOrigin(
      {
        [headers.contentType]: 'application/json',
        [headers.causationId]: reply.id,
        [headers.actor]: reply.actor,
      },
      origin,
    ),
  }
}
