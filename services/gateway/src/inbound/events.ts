import { headers, replySchema, topics } from '@klatsch/contracts'
import type { BatchHandler, IncomingRecord } from '@klatsch/event-bus'
import { type FeedEvent, feedEventOf } from '../connections/feed-event.ts'
import type { Hub } from '../connections/hub.ts'
import type { Requests } from '../outbound/requests.ts'
import type { Presence } from '../presence/presence.ts'

/**
 * What comes in from Kafka: events to the sockets that follow their stream, outcomes to whoever waits for them.
 * Works on memory only, so it never fails for want of something; a record it cannot read concerns nobody here.
 */
export function handleEvents(
  hub: Hub,
  requests: Requests,
  instance: string,
  presence?: Presence,
): BatchHandler {
  return async (records, { topic }) => {
    if (topic === topics.replies.name) {
      for (const record of records) if (record.key === instance) takeReply(record, requests)
      return
    }
    if (topic === topics.presenceEvents.name || topic === topics.presenceAudiences.name) {
      presence?.take(records)
      return
    }
    const wanted: FeedEvent[] = []
    for (const record of records) {
      if (hub.wants(record.key)) {
        const event = feedEventOf(record)
        if (event) wanted.push(event)
      }
      requests.takeEvent(record)
    }
    hub.accept(wanted)
  }
}

function takeReply(record: IncomingRecord, requests: Requests): void {
  let value: unknown
  try {
    value = JSON.parse(record.value.toString())
  } catch {
    return
  }
  const reply = replySchema.safeParse(value)
  if (reply.success) requests.takeReply(record.headers[headers.requestId], reply.data)
}
