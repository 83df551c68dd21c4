import { type CommandEnvelope, type FollowUpType, followUpId, userSubject } from '@klatsch/contracts'
import type { SealedEvent } from './events.ts'

/**
 * What other streams must learn of an event. A pure function of the event, ids included: derived again after a
 * crash, it is the same command, and is decided once.
 */
export function followUpsOf(event: SealedEvent): readonly CommandEnvelope[] {
  const { happened } = event
  switch (happened.type) {
    case 'chat.member.joined.v1':
      return [membership(event, 'chat.membership.add.v1', 'membership.add', happened.data.user)]
    case 'chat.member.left.v1':
      return [membership(event, 'chat.membership.remove.v1', 'membership.remove', happened.data.user)]
    case 'chat.room.created.v1':
    case 'chat.room.renamed.v1':
    case 'chat.message.sent.v1':
    case 'chat.membership.added.v1':
    case 'chat.membership.removed.v1':
    case 'chat.session.ended.v1':
      return []
    default:
      return happened satisfies never
  }
}

function membership(event: SealedEvent, type: FollowUpType, kind: string, user: string): CommandEnvelope {
  return {
    specversion: '1.0',
    id: followUpId(event.id, kind),
    source: 'chat',
    type,
    subject: userSubject(user),
    time: event.time,
    datacontenttype: 'application/json',
    actor: 'system:chat',
    correlationid: event.correlationid,
    data: { room: event.stream, seq: event.seq },
  }
}
