import type { Room, StreamEvent, User } from '@klatsch/contracts'

/** A room's history, made by hand: for tests of what is derived from it. Hashes are not right; nobody here checks them. */

export const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
export const ME: User = { id: uuid(1), username: 'mira', displayName: 'Mira', guest: false, admin: false }
export const ROOM = 'room:kitchen'
const EPOCH = Date.UTC(2026, 0, 5, 9)

export type Step =
  | { readonly kind: 'join' | 'leave'; readonly user: number }
  | { readonly kind: 'say'; readonly user: number; readonly text: string }
  | { readonly kind: 'rename'; readonly user: number; readonly name: string; readonly topic: string }

export interface World {
  readonly events: readonly StreamEvent[]
  /** The room as the server would tell it to `ME` after the first `seq` events. */
  snapshot(seq: number): Room
  membersAt(seq: number): Readonly<Record<string, number>>
}

/** The history that follows from steps; what a room does not allow is left out. `ME` (user 1) is in it from the start. */
export function world(steps: readonly Step[]): World {
  const events: StreamEvent[] = []
  const members = new Map<number, number>()
  const states: { name: string; topic: string; messages: number; members: Record<string, number> }[] = []
  let now = { name: 'Kitchen', topic: '', messages: 0 }
  const append = (type: string, user: number, data: unknown, cause = 1_000 + events.length) => {
    events.push(eventAt(events.length + 1, { type, user, data, cause }))
    states.push({ ...now, members: Object.fromEntries([...members].map(([id, seq]) => [uuid(id), seq])) })
  }
  const join = (user: number, cause?: number) => {
    members.set(user, events.length + 1)
    append('chat.member.joined.v1', user, { user: uuid(user) }, cause)
  }
  append('chat.room.created.v1', 1, { name: now.name, topic: '', visibility: 'public' }, 999)
  join(1, 999)
  for (const step of steps) {
    const inside = members.has(step.user)
    if (step.kind === 'join' && !inside) join(step.user)
    else if (step.kind === 'leave' && inside && step.user !== 1) {
      members.delete(step.user)
      append('chat.member.left.v1', step.user, { user: uuid(step.user) })
    } else if (step.kind === 'say' && inside) {
      now = { ...now, messages: now.messages + 1 }
      append('chat.message.sent.v1', step.user, { text: step.text, messageNo: now.messages })
    } else if (step.kind === 'rename' && inside) {
      now = { ...now, name: step.name, topic: step.topic }
      append('chat.room.renamed.v1', step.user, { name: step.name, topic: step.topic, visibility: 'public' })
    }
  }
  const at = (seq: number) => {
    const state = states[seq - 1]
    if (!state) throw new RangeError(`no event ${seq}`)
    return state
  }
  return {
    events,
    snapshot(seq) {
      const { name, topic, messages, members: inside } = at(seq)
      const memberCount = Object.keys(inside).length
      const member = uuid(1) in inside
      return {
        id: 'kitchen',
        name,
        topic,
        visibility: 'public',
        memberCount,
        member,
        ...(member ? { head: seq, lastMessageNo: messages } : {}),
      }
    },
    membersAt: (seq) => at(seq).members,
  }
}

export function eventAt(
  seq: number,
  { type, user, data, cause }: { type: string; user: number; data: unknown; cause: number },
): StreamEvent {
  return {
    specversion: '1.0',
    id: uuid(100_000 + seq),
    source: '/chat',
    type,
    subject: ROOM,
    time: new Date(EPOCH + seq * 20_000).toISOString(),
    datacontenttype: 'application/json',
    seq,
    actor: `user:${uuid(user)}`,
    causationid: uuid(cause),
    correlationid: uuid(cause),
    salt: 's',
    datahash: 'h',
    prevchain: `c${seq - 1}`,
    chain: `c${seq}`,
    data,
  }
}
