import { z } from 'zod'
import type { ErrorCode } from './errors.ts'
import { actorSchema, subjectSchema, uuidSchema } from './ids.ts'

/**
 * The value of a record on `chat.replies`: the outcome of a command that appended nothing now
 * (a rejection, a repetition, a change already made). Keyed by the gateway instance that asked.
 */
export const replySchema = z.object({
  id: uuidSchema,
  actor: actorSchema,
  subject: subjectSchema.optional(),
  state: z.enum(['accepted', 'rejected', 'held', 'cancelled']),
  seq: z.int().nonnegative().optional(),
  code: z.custom<ErrorCode>((code) => typeof code === 'string').optional(),
  detail: z.string().optional(),
})
export type Reply = z.infer<typeof replySchema>
