import { eventTypes, headers, replySchema, streamId, topics } from '@klatsch/contracts'
import type { BatchHandler, IncomingRecord } from '@klatsch/event-bus'
import { calmPoint, type FaultPoint, recordsPassing } from '@klatsch/service-kit'
import { z } from 'zod'
import { type FeedEvent, feedEventOf } from '../connections/feed-event.ts'
import type { Hub } from '../connections/hub.ts'
import type { Requests } from '../outbound/requests.ts'
import type { Presence } from '../presence/presence.ts'

const SESSION_ENDED = 'chat.session.ended.v1'
const sessionEndedSchema = z.object({ data: eventTypes[SESSION_ENDED].data })

/**
 * What comes in from Kafka: events to the sockets that follow their stream, outcomes to whoever waits for them.
 * Works on memory only, so it never fails for want of something; a record it cannot read concerns nobody here.
 */
export function handleEvents(
  hub: Hub,
  requests: Requests,
  instance: string,
  presence?: Presence,
  sessionEnded?: (user: string, session: string) => void,
  /** Where the laboratory can make things go wrong: before any of this sees an event. */
  deliver: FaultPoint = calmPoint,
): BatchHandler {
  const pass = recordsPassing(deliver, takeEvents)

  return async (records, { topic }) => {
    if (topic === topics.replies.name) {
      for (const record of records) if (record.key === instance) takeReply(record, requests)
      return
    }
    if (topic === topics.presenceEvents.name || topic === topics.presenceAudiences.name) {
      presence?.take(records)
      return
    }
    takeEvents(pass(records))
  }

  function takeEvents(records: readonly IncomingRecord[]): void {
    const wanted: FeedEvent[] = []
    const ended: IncomingRecord[] = []
    for (const record of records) {
      if (hub.wants(record.key)) {
        const event = feedEventOf(record)
        if (event) wanted.push(event)
      } else hub.passed(record.key, Number(record.headers[headers.seq]))
      requests.takeEvent(record)
      if (record.headers[headers.type] === SESSION_ENDED) ended.push(record)
    }
    hub.accept(wanted)
    for (const record of ended) {
      const session = sessionIn(record)
      if (session !== undefined) sessionEnded?.(streamId(record.key), session)
    }
  }
}

function jsonOf(record: IncomingRecord): unknown {
  try {
    return JSON.parse(record.value.toString())
  } catch {
    return undefined
  }
}

const sessionIn = (record: IncomingRecord): string | undefined =>
  sessionEndedSchema.safeParse(jsonOf(record)).data?.data.session

function takeReply(record: IncomingRecord, requests: Requests): void {
  const reply = replySchema.safeParse(jsonOf(record))
  if (reply.success) requests.takeReply(record.headers[headers.requestId], reply.data)
}
