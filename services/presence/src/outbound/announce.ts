import {
  CLOUDEVENTS_JSON,
  headers,
  type PresenceChanged,
  presenceEventTypes,
  presencePartitionKey,
  presenceTimes,
  type Resync,
  type Roster,
  type TypingData,
  topics,
  userSubject,
} from '@klatsch/contracts'
import type { OutgoingRecord, Publisher } from '@klatsch/event-bus'
import type { PresenceEvent } from '../domain/partition.ts'

/** Records handed to the publisher at a time: far below what it queues. */
const CHUNK = 2_000

/** Resolves when all of it is on `presence.events`, in order. */
export async function tell(
  publisher: Publisher,
  partition: number,
  events: readonly PresenceEvent[],
): Promise<void> {
  const records = events
    .filter((event, index) => event.kind !== 'resync' || isLastOf(events, event, index))
    .map((event) => recordOf(partition, event))
  for (let at = 0; at < records.length; at += CHUNK) await publisher.publish(records.slice(at, at + CHUNK))
}

/** Nothing but the time at which the broker appends it. */
export function tick(publisher: Publisher, partition: number): Promise<void> {
  const { name } = topics.presenceSignals
  const value = JSON.stringify({ kind: 'tick' })
  return publisher.publish([{ topic: name, key: presencePartitionKey(partition), value, headers: {} }])
}

/** Asked twice in one batch of records, once is enough. */
const isLastOf = (
  events: readonly PresenceEvent[],
  { gateway }: { gateway: string | undefined },
  at: number,
) => !events.slice(at + 1).some((later) => later.kind === 'resync' && later.gateway === gateway)

const iso = (time: number): string => new Date(time).toISOString()
const seen = (at: number | undefined) => (at === undefined ? {} : { lastSeen: iso(at) })

function recordOf(partition: number, event: PresenceEvent): OutgoingRecord {
  const topic = topics.presenceEvents.name
  // Both topics have the same partitions, so all that is told of one partition of signals is in order.
  const wide = presencePartitionKey(partition)
  switch (event.kind) {
    case 'changed': {
      const { user, state, version, time } = event
      const value: PresenceChanged = {
        specversion: '1.0',
        id: `${partition}-${version}-${user}`,
        source: 'presence',
        type: presenceEventTypes.changed,
        subject: userSubject(user),
        time: iso(time),
        datacontenttype: 'application/json',
        data: { state, version, ...seen(event.lastSeen) },
      }
      return {
        topic,
        key: user,
        value: JSON.stringify(value),
        headers: {
          [headers.contentType]: CLOUDEVENTS_JSON,
          [headers.type]: presenceEventTypes.changed,
          [headers.version]: String(version),
          [headers.state]: state,
          ...(event.home === undefined ? {} : { [headers.home]: event.home }),
        },
      }
    }
    case 'typing': {
      const { user, room, typing, version, time } = event
      const data: TypingData = { user, typing, forMs: presenceTimes.typingMs }
      const value = {
        specversion: '1.0',
        id: `${partition}-${version}-${user}-${room}`,
        source: 'presence',
        type: presenceEventTypes.typing,
        subject: room,
        time: iso(time),
        datacontenttype: 'application/json',
        data,
      }
      return {
        topic,
        key: user,
        value: JSON.stringify(value),
        headers: {
          [headers.contentType]: CLOUDEVENTS_JSON,
          [headers.type]: presenceEventTypes.typing,
          [headers.subject]: room,
        },
      }
    }
    case 'roster': {
      const value: Roster = {
        partition,
        version: event.version,
        time: iso(event.time),
        ...(event.complete ? { complete: event.complete } : {}),
        users: event.users.map(({ user, state, home, lastSeen }) => ({
          user,
          state,
          ...(home === undefined ? {} : { home }),
          ...seen(lastSeen),
        })),
      }
      return {
        topic,
        key: wide,
        value: JSON.stringify(value),
        headers: { [headers.type]: presenceEventTypes.roster },
      }
    }
    case 'resync': {
      const { gateway, fenced } = event
      const value: Resync = {
        partition,
        ...(gateway === undefined ? {} : { gateway }),
        ...(fenced === undefined ? {} : { fenced }),
      }
      return {
        topic,
        key: wide,
        value: JSON.stringify(value),
        headers: { [headers.type]: presenceEventTypes.resync },
      }
    }
  }
}
