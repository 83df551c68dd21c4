import { knownEvent, type StreamEvent, streamId } from '@klatsch/contracts'

interface Base {
  readonly seq: number
  readonly id: string
  /** Unique within a room, and known before the event is: actor and command. */
  readonly key: string
  /** Milliseconds since the epoch, by the server's clock. */
  readonly at: number
}

/** What one event of a room is to a reader of its timeline. */
export type Entry =
  | (Base & {
      readonly kind: 'message'
      readonly author: string
      readonly text: string
      readonly messageNo: number
    })
  | (Base & { readonly kind: 'joined' | 'left'; readonly user: string })
  | (Base & {
      readonly kind: 'created' | 'renamed'
      readonly by: string
      readonly name: string
      readonly topic: string
    })
  /** Erased, or of a type that this page does not know yet. */
  | (Base & { readonly kind: 'unknown' })

export type MessageEntry = Extract<Entry, { kind: 'message' }>

/** The name that a command has on the screen from the moment it is written. */
export const entryKey = (actor: string, commandId: string): string => `${actor}/${commandId}`

export function entryOf(event: StreamEvent): Entry {
  const base: Base = {
    seq: event.seq,
    id: event.id,
    // One command may append several events (a room is created and joined); only its first is awaited by key.
    key: entryKey(event.actor, event.causationid),
    at: Date.parse(event.time),
  }
  const known = knownEvent(event)
  switch (known?.type) {
    case 'chat.message.sent.v1':
      return {
        ...base,
        kind: 'message',
        author: streamId(known.actor),
        text: known.data.text,
        messageNo: known.data.messageNo,
      }
    case 'chat.member.joined.v1':
      return { ...base, kind: 'joined', user: known.data.user }
    case 'chat.member.left.v1':
      return { ...base, kind: 'left', user: known.data.user }
    case 'chat.room.created.v1':
      return {
        ...base,
        kind: 'created',
        by: streamId(known.actor),
        name: known.data.name,
        topic: known.data.topic,
      }
    case 'chat.room.renamed.v1':
      return {
        ...base,
        kind: 'renamed',
        by: streamId(known.actor),
        name: known.data.name,
        topic: known.data.topic,
      }
    case 'chat.membership.added.v1':
    case 'chat.membership.removed.v1':
    case 'chat.session.ended.v1':
    case undefined:
      return { ...base, kind: 'unknown' }
  }
}
