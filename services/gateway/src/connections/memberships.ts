import type { EventData } from '@klatsch/contracts'
import { type FeedEvent, parseFeedEvent } from './feed-event.ts'

// Memberships decide who gets what: the few events that are read here and not only passed on.

/** Of a room's stream: whose membership ended with this event. */
export function whoLeft(event: FeedEvent): string | undefined {
  if (event.type !== 'chat.member.left.v1') return undefined
  return (parseFeedEvent(event).data as EventData<'chat.member.left.v1'>).user
}

/** Of a user's own stream: the room that was joined, at which seq of it. */
export function roomJoined(event: FeedEvent): { readonly room: string; readonly seq: number } | undefined {
  if (event.type !== 'chat.membership.added.v1') return undefined
  return parseFeedEvent(event).data as EventData<'chat.membership.added.v1'>
}

/** Whether a user who was a member before these events is one after them. */
export function stillMember(user: string, events: readonly FeedEvent[]): boolean {
  let member = true
  for (const event of events) {
    if (whoLeft(event) === user) member = false
    if (event.type !== 'chat.member.joined.v1') continue
    if ((parseFeedEvent(event).data as EventData<'chat.member.joined.v1'>).user === user) member = true
  }
  return member
}
