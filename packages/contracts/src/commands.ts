import { z } from 'zod'
import { actorSchema, GLOBAL_ROOM, streamKind, subjectSchema, uuidSchema } from './ids.ts'
import { limits } from './limits.ts'
import { lineSchema, textSchema } from './text.ts'

export const visibilitySchema = z.enum(['public', 'private'])
export type Visibility = z.infer<typeof visibilitySchema>

const roomName = lineSchema(limits.roomNameChars)
const topic = lineSchema(limits.topicChars).or(z.literal(''))

/**
 * What people may ask of the log, by type. `on`: the kind of stream the command touches.
 * Unknown fields are refused: a client that misspells a field must not believe it was heard.
 */
export const commandTypes = {
  'chat.room.create.v1': {
    on: 'room',
    data: z.strictObject({
      name: roomName,
      topic: topic.default(''),
      visibility: visibilitySchema.default('public'),
    }),
    describe:
      'Makes a room; its id is derived from the actor and the command. The actor becomes its first member.',
  },
  'chat.room.rename.v1': {
    on: 'room',
    data: z
      .strictObject({ name: roomName.optional(), topic: topic.optional() })
      .refine((d) => d.name !== undefined || d.topic !== undefined, 'name or topic is needed'),
    describe: 'Gives a room another name, another topic, or both. For members.',
  },
  'chat.room.join.v1': {
    on: 'room',
    data: z.strictObject({}),
    describe: 'Makes the actor a member of a public room.',
  },
  'chat.room.leave.v1': {
    on: 'room',
    data: z.strictObject({}),
    describe: 'Ends the membership of the actor.',
  },
  'chat.message.send.v1': {
    on: 'room',
    data: z.strictObject({
      text: textSchema(limits.messageChars).refine((text) => text.trim() !== '', 'must not be blank'),
    }),
    describe: 'Writes a message into a room the actor is a member of.',
  },
} as const

/** What an event of one stream, or an account, makes known to another stream. Sent by `chat` alone. */
export const followUpTypes = {
  'chat.membership.add.v1': {
    on: 'user',
    data: z.strictObject({ room: subjectSchema, seq: z.int().positive() }),
    describe: "Tells a user's own stream that a room was joined, at which seq of the room.",
  },
  'chat.membership.remove.v1': {
    on: 'user',
    data: z.strictObject({ room: subjectSchema, seq: z.int().positive() }),
    describe: "Tells a user's own stream that a room was left, at which seq of the room.",
  },
  'chat.session.end.v1': {
    on: 'user',
    data: z.strictObject({ session: uuidSchema }),
    describe: "Tells a user's own stream that a session of that user has ended.",
  },
} as const

const allCommandTypes = { ...commandTypes, ...followUpTypes }

export type PublicCommandType = keyof typeof commandTypes
export type FollowUpType = keyof typeof followUpTypes
export type CommandType = keyof typeof allCommandTypes
export type CommandData<T extends CommandType = CommandType> = z.output<(typeof allCommandTypes)[T]['data']>
export type CommandInput<T extends CommandType = CommandType> = z.input<(typeof allCommandTypes)[T]['data']>

export const isPublicCommandType = (type: unknown): type is PublicCommandType =>
  typeof type === 'string' && Object.hasOwn(commandTypes, type)
export const isCommandType = (type: unknown): type is CommandType =>
  typeof type === 'string' && Object.hasOwn(allCommandTypes, type)

/** The value of a record on `chat.commands`: CloudEvents 1.0 JSON. `(actor, id)` is its permanent name. */
const envelopeSchema = z.object({
  specversion: z.literal('1.0'),
  id: uuidSchema,
  source: z.string().max(200),
  type: z.string(),
  subject: subjectSchema,
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  actor: actorSchema,
  /** Whether the actor is a guest: taken from the token by the gateway. */
  guest: z.boolean().optional(),
  after: uuidSchema.optional(),
  /** Of a follow-up: what set off the whole chain of causes. A command that lacks it is the first of its own. */
  correlationid: uuidSchema.optional(),
  data: z.unknown(),
})
/** A command whose type, data and stream are not checked yet. */
export type CommandEnvelope = z.output<typeof envelopeSchema>

type CommandOf<T extends CommandType> = Omit<z.output<typeof envelopeSchema>, 'type' | 'data'> & {
  type: T
  data: CommandData<T>
}
/** A command with its data checked, discriminated by `type`. */
export type Command = { [T in CommandType]: CommandOf<T> }[CommandType]

export type ParsedCommand =
  | { ok: true; command: Command }
  | { ok: false; code: 'command.unknown' | 'command.invalid'; detail: string }

const wrong = (error: z.ZodError): { ok: false; code: 'command.invalid'; detail: string } => ({
  ok: false,
  code: 'command.invalid',
  detail: firstIssue(error),
})

/** The first thing a schema found, as one line: `data.text: must not be blank`. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (!issue) return 'invalid'
  const path = issue.path.map(String).join('.')
  return path ? `${path}: ${issue.message}` : issue.message
}

/** Checks the data of a command by its type, and that it is sent to a stream of the right kind. */
export function parseCommandData(
  type: string,
  subject: string | undefined,
  data: unknown,
):
  | { ok: true; data: CommandData }
  | { ok: false; code: 'command.unknown' | 'command.invalid'; detail: string } {
  if (!isCommandType(type))
    return { ok: false, code: 'command.unknown', detail: `no command is called ${type.slice(0, 80)}` }
  const spec = allCommandTypes[type]
  if (subject !== undefined && streamKind(subject) !== spec.on) {
    return { ok: false, code: 'command.invalid', detail: `subject: ${type} goes to a ${spec.on}` }
  }
  const parsed = spec.data.safeParse(data, { reportInput: false })
  return parsed.success ? { ok: true, data: parsed.data } : wrong(parsed.error)
}

/** Checks all of a command but its data. Never throws. */
export function parseEnvelope(
  value: unknown,
): { ok: true; envelope: CommandEnvelope } | { ok: false; detail: string } {
  const envelope = envelopeSchema.safeParse(value, { reportInput: false })
  return envelope.success
    ? { ok: true, envelope: envelope.data }
    : { ok: false, detail: firstIssue(envelope.error) }
}

/** Decodes the value of a record on `chat.commands`. Never throws. */
export function parseCommand(value: unknown): ParsedCommand {
  const parsed = parseEnvelope(value)
  if (!parsed.ok) return { ok: false, code: 'command.invalid', detail: parsed.detail }
  const { envelope } = parsed
  const data = parseCommandData(envelope.type, envelope.subject, envelope.data)
  if (!data.ok) return data
  return { ok: true, command: { ...envelope, data: data.data } as Command }
}

/** Guests may speak, and come and go, in the global room; all else needs an account. */
export function guestMay(type: CommandType, subject: string): boolean {
  return subject === GLOBAL_ROOM && type !== 'chat.room.rename.v1' && type !== 'chat.room.create.v1'
}
