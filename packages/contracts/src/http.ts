import { z } from 'zod'
import { visibilitySchema } from './commands.ts'
import type { ErrorCode } from './errors.ts'
import { subjectSchema, uuidSchema } from './ids.ts'
import { limits } from './limits.ts'
import { lineSchema } from './text.ts'

/** Letters, digits, dot, dash and underscore of any script, 2 to 32; compared without case. */
export const usernameSchema = z
  .string()
  .min(2)
  .max(32)
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N}\p{M}._-]*$/u,
    'use letters, digits, dot, dash and underscore, beginning with a letter or digit',
  )
  .refine((name) => name.normalize('NFC') === name, 'must be in Unicode NFC')

const passwordSchema = z.string().min(8, 'use at least 8 characters').max(limits.passwordChars)

export const registerBodySchema = z.strictObject({
  username: usernameSchema,
  password: passwordSchema,
  displayName: lineSchema(limits.displayNameChars).optional(),
})
export const loginBodySchema = z.strictObject({
  username: z.string().min(1).max(64),
  password: z.string().min(1).max(limits.passwordChars),
})
export const guestBodySchema = z.strictObject({ username: usernameSchema })
export const refreshBodySchema = z.strictObject({ refreshToken: z.string().min(1).max(512) })
export const logoutBodySchema = z
  .strictObject({ refreshToken: z.string().min(1).max(512).optional() })
  .default({})

export const userSchema = z.object({
  id: uuidSchema,
  username: z.string(),
  displayName: z.string(),
  guest: z.boolean(),
  admin: z.boolean(),
})
export type User = z.infer<typeof userSchema>

/** What register, login, guest and refresh answer. `expiresIn`: seconds the access token is good for. */
export const sessionSchema = z.object({
  user: userSchema,
  accessToken: z.string(),
  refreshToken: z.string(),
  expiresIn: z.int().positive(),
})
export type Session = z.infer<typeof sessionSchema>

/** A room as anyone who may know of it sees it. `member`: whether the asker is in it. */
export const roomSchema = z.object({
  id: z.string(),
  name: z.string(),
  topic: z.string(),
  visibility: visibilitySchema,
  memberCount: z.int().nonnegative(),
  member: z.boolean(),
  head: z.int().nonnegative().optional(),
  lastMessageNo: z.int().nonnegative().optional(),
})
export type Room = z.infer<typeof roomSchema>

export const memberSchema = z.object({ user: userSchema, joinedSeq: z.int().positive() })
export type Member = z.infer<typeof memberSchema>

export const messageSchema = z.object({
  id: uuidSchema,
  room: z.string(),
  seq: z.int().positive(),
  messageNo: z.int().positive(),
  author: uuidSchema,
  text: z.string(),
  time: z.iso.datetime(),
})
export type Message = z.infer<typeof messageSchema>

export const commandStateSchema = z.object({
  state: z.enum(['unknown', 'accepted', 'rejected', 'held', 'cancelled']),
  subject: subjectSchema.optional(),
  seq: z.int().nonnegative().optional(),
  code: z.string().optional(),
})
export type CommandState = z.infer<typeof commandStateSchema>

export const pageQuerySchema = z.object({
  before: z.coerce.number().int().positive().optional(),
  after: z.coerce.number().int().nonnegative().optional(),
  limit: z.coerce.number().int().min(1).max(limits.pageSize).default(50),
})
export const roomsQuerySchema = z.object({
  scope: z.enum(['mine', 'public']).default('mine'),
  after: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(limits.pageSize).default(100),
})
export const membersQuerySchema = z.object({
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(limits.pageSize).default(100),
})

/** An RFC 9457 problem with a stable `code`. */
export interface Problem {
  type: 'about:blank'
  title: string
  status: number
  code: ErrorCode
  detail: string
  retryAfterMs?: number
}
