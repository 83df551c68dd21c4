import { z } from 'zod'

/** A position in a stream: `seq` of the last event one has (0: none), `chain` of it to notice a forked history. */
export const cursorSchema = z.object({ seq: z.int().nonnegative(), chain: z.string().max(64).optional() })
export type Cursor = z.infer<typeof cursorSchema>

/** Where a stream ends: seq and chain of its last event. An empty stream is `{seq: 0, chain: ''}`. */
export const headSchema = z.object({ seq: z.int().nonnegative(), chain: z.string() })
export type Head = z.infer<typeof headSchema>

/** A head, and what a digest tells of it: messages so far, and the time of the last event (that of the epoch where there is none). */
export const streamTipSchema = headSchema.extend({
  messageNo: z.int().nonnegative(),
  time: z.iso.datetime(),
})
export type StreamTip = z.infer<typeof streamTipSchema>
export const emptyTip: StreamTip = { seq: 0, chain: '', messageNo: 0, time: new Date(0).toISOString() }
