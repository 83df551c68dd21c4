import { z } from 'zod'
import { subjectSchema } from './ids.ts'

export const DIGEST_TYPE = 'chat.stream.digest.v1'

/**
 * How far a stream is: for those who follow it with `mode: digest`. A passing event (CloudEvents without `seq`): the
 * latest one on a socket replaces the one before. Unread messages are `messageNo` less one's own mark.
 */
export const digestSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.literal(DIGEST_TYPE),
  subject: subjectSchema,
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  data: z.object({
    /** Seq of the last event. */
    head: z.int().nonnegative(),
    /** Messages in the stream so far: the number of the last one. */
    messageNo: z.int().nonnegative(),
    /** Time of the last event. */
    lastActivity: z.iso.datetime(),
  }),
})
export type Digest = z.output<typeof digestSchema>
