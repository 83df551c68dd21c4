import {
  CLOUDEVENTS_JSON,
  headers,
  type PresenceChanged,
  presenceEventTypes,
  presencePartitionKey,
  presenceTimes,
  type Resync,
  type Roster,
  type Seen,
  type TypingData,
  topics,
  userSubject,
} from '@klatsch/contracts'
import type { OutgoingRecord, Publisher } from '@klatsch/event-bus'
import type { Memory } from '../domain/memory.ts'
import type { PresenceEvent } from '../domain/partition.ts'

/** Records handed to the publisher at a time: far below what it queues. */
const CHUNK = 2_000

/** Resolves when all of it is on `presence.events`, and on `presence.seen` what is to be remembered, in order. */
export async function tell(
  publisher: Publisher,
  memory: Memory,
  partition: number,
  events: readonly PresenceEvent[],
): Promise<void> {
  const records = events
    .filter((event, index) => event.kind !== 'resync' || isLastOf(events, event, index))
    .map((event) => {
      if (event.kind === 'seen') memory.note(event.user, event)
      return recordOf(partition, event, memory)
    })
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

function recordOf(partition: number, event: PresenceEvent, memory: Memory): OutgoingRecord {
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
        users: event.users.map(({ user, state, home }) => ({
          user,
          state,
          ...(home === undefined ? {} : { home }),
          ...seen(state === 'offline' ? memory.lastSeen(user) : undefined),
        })),
      }
      return {
        topic,
        key: wide,
        value: JSON.stringify(value),
        headers: { [headers.type]: presenceEventTypes.roster },
      }
    }
    case 'seen': {
      const value: Seen = { at: event.at, hidden: event.hidden }
      return { topic: topics.presenceSeen.name, key: event.user, value: JSON.stringify(value), headers: {} }
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
