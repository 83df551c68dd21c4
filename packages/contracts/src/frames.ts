import { z } from 'zod'
import { cursorSchema } from './cursors.ts'
import type { ErrorCode } from './errors.ts'
import { subjectSchema, uuidSchema } from './ids.ts'
import { limits } from './limits.ts'

export const SUBPROTOCOL = 'klatsch.v1'

/** Close codes of `/ws`. */
export const closeCodes = {
  tooLarge: 1009,
  restarting: 1012,
  tryAgainLater: 1013,
  notAFrame: 4400,
  token: 4401,
  noHello: 4408,
  limits: 4429,
} as const

const cursors = z
  .record(subjectSchema, cursorSchema)
  .refine(
    (all) => Object.keys(all).length <= limits.cursorsPerHello,
    `at most ${limits.cursorsPerHello} cursors`,
  )

/** `full`: each event of the stream. `digest`: only how far it is, now and then. */
export const followModeSchema = z.enum(['full', 'digest'])
export type FollowMode = z.output<typeof followModeSchema>

const helloSchema = z.object({
  type: z.literal('hello'),
  token: z.string().min(1).max(4_096),
  /** `all`: every room one is in, now and later. */
  follow: z.union([z.literal('all'), z.array(subjectSchema).max(limits.cursorsPerHello)]).default('all'),
  cursors: cursors.default({}),
  /** Of the rooms, those joined later among them: `full` when absent. One's own stream is always followed in full. */
  mode: followModeSchema.optional(),
  /** Of the rooms followed, those to be followed in full although `mode` is `digest`. */
  full: z.array(subjectSchema).max(limits.cursorsPerHello).optional(),
})
/** One stream, or all those in `cursors`. Of one that is followed already: goes on from the cursor, in this mode (`full` when absent). */
const followSchema = z
  .object({
    type: z.literal('follow'),
    subject: subjectSchema.optional(),
    cursor: cursorSchema.optional(),
    cursors: cursors.optional(),
    mode: followModeSchema.optional(),
  })
  .refine(
    ({ subject, cursor, cursors }) =>
      (subject === undefined) === (cursors !== undefined) && !(cursor && cursors),
    'either subject, with its cursor, or cursors',
  )
const unfollowSchema = z.object({ type: z.literal('unfollow'), subject: subjectSchema })
const commandSchema = z.object({
  type: z.literal('command'),
  id: uuidSchema,
  command: z.string().max(100),
  subject: subjectSchema.optional(),
  after: uuidSchema.optional(),
  data: z.unknown(),
})
const authSchema = z.object({ type: z.literal('auth'), token: z.string().min(1).max(4_096) })
/** No answer, nothing kept; data that is left out stays as it was. */
const signalSchema = z.object({
  type: z.literal('signal'),
  /** `presence`: one's own `user:<id>`. `typing`: a room one follows. */
  subject: subjectSchema,
  signal: z.enum(['presence', 'typing']),
  data: z
    .object({
      /** Of `presence`: this device has not been touched for a while. */
      idle: z.boolean().optional(),
      /** Of `presence`: the person's choice, of which the latest one on any device counts. */
      dnd: z.boolean().optional(),
      hideLastSeen: z.boolean().optional(),
      /** Of `typing`: true when left out. */
      typing: z.boolean().optional(),
    })
    .optional(),
})
/** What is on the screen: whose state, and of which rooms typing, is to be told. Replaces what was named before. */
const watchSchema = z.object({
  type: z.literal('watch'),
  users: z.array(uuidSchema).max(limits.watchedUsers).default([]),
  rooms: z.array(subjectSchema).max(limits.watchedRooms).default([]),
})
const pingSchema = z.object({ type: z.literal('ping'), cursors: cursors.optional() })

export const clientFrameSchema = z.discriminatedUnion('type', [
  helloSchema,
  followSchema,
  unfollowSchema,
  commandSchema,
  authSchema,
  signalSchema,
  watchSchema,
  pingSchema,
])
export type ClientFrame = z.output<typeof clientFrameSchema>
export type ClientFrameInput = z.input<typeof clientFrameSchema>
export const clientFrameTypes: ReadonlySet<string> = new Set([
  'hello',
  'follow',
  'unfollow',
  'command',
  'auth',
  'signal',
  'watch',
  'ping',
])

export interface StreamPosition {
  subject: string
  /** The seq from which this user may read. */
  first: number
  head: number
}

export interface WelcomeFrame {
  type: 'welcome'
  session: string
  user: { id: string; username: string; displayName: string; guest: boolean; admin: boolean }
  streams: StreamPosition[]
  limits: {
    frameBytes: number
    messageChars: number
    commandsPerSecond: number
    pingMs: number
    resumeEvents: number
  }
  /** The server's clock when it said this, RFC 3339. */
  time?: string
}
export interface ErrorFrame {
  type: 'error'
  id?: string
  subject?: string
  code: ErrorCode
  detail: string
  retryable: boolean
  retryAfterMs?: number
}
/** What the server sends besides events; events are the frames that have `specversion`. */
export type ServerFrame =
  | WelcomeFrame
  | { type: 'reset'; subject: string; reason: 'gap' | 'fork'; from: number; head: number }
  | { type: 'live'; subject: string; head: number }
  | { type: 'unfollowed'; subject: string; code: ErrorCode | 'left' | 'asked'; seq?: number }
  | { type: 'ack'; id: string; subject: string; seq: number }
  | ErrorFrame
  | { type: 'authed'; expiresIn: number }
  | { type: 'pong'; time?: string }
  | { type: 'goaway'; withinMs: number }
