import type { KnownEvent, StreamEvent } from '@klatsch/contracts'
import type { SealedEvent } from '../domain/events.ts'

/** An event as Postgres keeps it. Chat wrote these bytes itself, so types and data are known ones. */
export function eventOfRow(bytes: string): SealedEvent {
  const event = JSON.parse(bytes) as StreamEvent
  const { type, data } = event as KnownEvent
  return {
    stream: event.subject,
    seq: event.seq,
    id: event.id,
    type,
    actor: event.actor,
    time: event.time,
    prevchain: event.prevchain,
    chain: event.chain,
    causationid: event.causationid,
    correlationid: event.correlationid,
    happened: { type, data } as SealedEvent['happened'],
    bytes,
  }
}
