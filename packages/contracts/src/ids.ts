import { z } from 'zod'
import { v5 } from '#uuid-v5'

/** Any UUID, lower case. Commands are named by a UUIDv7 of the client's own making. */
export const uuidSchema = z
  .string()
  .regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    'must be a UUID in lower case',
  )

/** The name of a stream: `room:<id>` or `user:<id>`. */
export const subjectSchema = z
  .string()
  .regex(/^(room|user):[0-9A-Za-z][0-9A-Za-z_-]{0,63}$/, 'must be room:<id> or user:<id>')

/** Who acted: `user:<uuid>`, or `system:<service>` for follow-ups. */
export const actorSchema = z
  .string()
  .regex(
    /^(user:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|system:[a-z]{1,32})$/,
    'must be user:<uuid> or system:<service>',
  )

export type StreamKind = 'room' | 'user'

export const GLOBAL_ROOM = 'room:global'

/** The namespace under which the ids of what the services do by themselves are derived. */
const SYSTEM_NAMESPACE = '6f0e3c52-2f51-5c6e-9d0a-3c1f2b7a8e10'

export function streamKind(subject: string): StreamKind {
  return subject.startsWith('room:') ? 'room' : 'user'
}

/** `room:abc` → `abc` */
export function streamId(subject: string): string {
  return subject.slice(subject.indexOf(':') + 1)
}

export const roomSubject = (roomId: string): string => `room:${roomId}`
export const userSubject = (userId: string): string => `user:${userId}`

function actorNamespace(actor: string): string {
  return actor.startsWith('user:') ? streamId(actor) : v5(actor, SYSTEM_NAMESPACE)
}

/** The room that a `chat.room.create.v1` makes: the same command always names the same room. */
export function createdRoomSubject(actor: string, commandId: string): string {
  return roomSubject(v5(commandId, actorNamespace(actor)))
}

/** The id of the `index`-th event that a command appends. A message's id is its sent event's id. */
export function eventId(actor: string, commandId: string, index: number): string {
  return v5(`${commandId}:${index}`, actorNamespace(actor))
}

/** The id of the follow-up command that an event brings about on another stream. */
export function followUpId(causeEventId: string, kind: string): string {
  return v5(kind, causeEventId)
}
