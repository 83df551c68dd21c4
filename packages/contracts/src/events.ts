import { z } from 'zod'
import { visibilitySchema } from './commands.ts'
import { actorSchema, subjectSchema, uuidSchema } from './ids.ts'

const room = { name: z.string(), topic: z.string(), visibility: visibilitySchema }
const membership = z.object({ room: subjectSchema, seq: z.int().positive() })

/**
 * What can have happened, by type. Data holds only what every reader of the stream may know;
 * names and pictures of people are never copied into it.
 */
export const eventTypes = {
  'chat.room.created.v1': { on: 'room', data: z.object(room), describe: 'A room was made.' },
  'chat.room.renamed.v1': {
    on: 'room',
    data: z.object(room),
    describe: 'A room has another name or topic; the data is the room as it is now.',
  },
  'chat.member.joined.v1': {
    on: 'room',
    data: z.object({ user: uuidSchema }),
    describe: 'A user became a member.',
  },
  'chat.member.left.v1': {
    on: 'room',
    data: z.object({ user: uuidSchema }),
    describe: 'A membership ended.',
  },
  'chat.message.sent.v1': {
    on: 'room',
    data: z.object({ text: z.string(), messageNo: z.int().positive() }),
    describe: "A message. Its id is the event's id; messageNo counts the messages of the room from 1.",
  },
  'chat.membership.added.v1': {
    on: 'user',
    data: membership,
    describe: 'This user joined a room, at that seq of the room.',
  },
  'chat.membership.removed.v1': {
    on: 'user',
    data: membership,
    describe: 'This user is no longer in a room since that seq of it.',
  },
  'chat.session.ended.v1': {
    on: 'user',
    data: z.object({ session: uuidSchema }),
    describe: 'A session of this user has ended before its time; its tokens are worth nothing any more.',
  },
} as const

export type EventType = keyof typeof eventTypes
export type EventData<T extends EventType = EventType> = z.output<(typeof eventTypes)[T]['data']>

export const isEventType = (type: unknown): type is EventType =>
  typeof type === 'string' && Object.hasOwn(eventTypes, type)

/** An event of a stream: the value of a record on `chat.events`, and, byte for byte, a frame. */
export const streamEventSchema = z.object({
  specversion: z.literal('1.0'),
  id: uuidSchema,
  source: z.string(),
  type: z.string(),
  subject: subjectSchema,
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  seq: z.int().positive(),
  actor: actorSchema,
  causationid: uuidSchema,
  correlationid: uuidSchema,
  /** Missing, like `data`, once erased. */
  salt: z.string().optional(),
  datahash: z.string(),
  prevchain: z.string(),
  chain: z.string(),
  data: z.unknown().optional(),
})
export type StreamEvent = z.output<typeof streamEventSchema>

type KnownOf<T extends EventType> = Omit<StreamEvent, 'type' | 'data'> & { type: T; data: EventData<T> }
export type KnownEvent = { [T in EventType]: KnownOf<T> }[EventType]

/** Narrows an event to a known type with data of its form; undefined for types of a later version or erased data. */
export function knownEvent(event: StreamEvent): KnownEvent | undefined {
  if (!isEventType(event.type) || event.data === undefined) return undefined
  return eventTypes[event.type].data.safeParse(event.data).success ? (event as KnownEvent) : undefined
}
