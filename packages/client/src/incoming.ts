import {
  type Digest,
  digestSchema,
  isErrorCode,
  KlatschError,
  type PassingEvent,
  passingEventSchema,
  type ServerFrame,
  type StreamEvent,
  streamEventSchema,
} from '@klatsch/contracts'
import { z } from 'zod'

const count = z.int().nonnegative()
const subject = z.string()
const position = z.object({ subject, first: z.int().positive(), head: count })

/** As much of each frame as the client relies on; all else passes unseen, so that a later server may say more. */
const shapes: Readonly<Record<ServerFrame['type'], z.ZodType>> = {
  welcome: z.object({
    session: z.string(),
    user: z.object({ id: z.string() }),
    streams: z.array(position),
    limits: z.object({ pingMs: z.number().positive(), commandsPerSecond: z.number().positive() }),
    time: z.string().optional(),
  }),
  reset: z.object({ subject, reason: z.enum(['gap', 'fork']), from: count, head: count }),
  live: z.object({ subject, head: count }),
  unfollowed: z.object({ subject, code: z.string(), seq: count.optional() }),
  ack: z.object({ id: z.string(), subject, seq: count }),
  error: z.object({
    code: z.string(),
    retryable: z.boolean(),
    id: z.string().optional(),
    subject: subject.optional(),
    retryAfterMs: z.number().nonnegative().optional(),
  }),
  authed: z.object({ expiresIn: z.number().nonnegative() }),
  pong: z.object({ time: z.string().optional() }),
  goaway: z.object({ withinMs: z.number().nonnegative() }),
}

export type Incoming =
  | { readonly kind: 'event'; readonly event: StreamEvent }
  | { readonly kind: 'passing'; readonly event: PassingEvent }
  | { readonly kind: 'digest'; readonly event: Digest }
  | { readonly kind: 'frame'; readonly frame: ServerFrame }
  /** A frame or event of a later version, or no frame at all: to be ignored. */
  | { readonly kind: 'other' }

const other: Incoming = { kind: 'other' }

/** Reads what came over the socket. Never throws. Fields nobody knows yet are kept on events. */
export function readIncoming(data: unknown): Incoming {
  if (typeof data !== 'string') return other
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return other
  }
  if (typeof value !== 'object' || value === null) return other
  if ('specversion' in value) {
    if (streamEventSchema.safeParse(value).success) return { kind: 'event', event: value as StreamEvent }
    const digest = digestSchema.safeParse(value)
    if (digest.success) return { kind: 'digest', event: digest.data }
    const passing = 'seq' in value ? undefined : passingEventSchema.safeParse(value)
    return passing?.success ? { kind: 'passing', event: passing.data } : other
  }
  if (!('type' in value) || typeof value.type !== 'string' || !Object.hasOwn(shapes, value.type)) return other
  const known = shapes[value.type as ServerFrame['type']].safeParse(value).success
  return known ? { kind: 'frame', frame: value as ServerFrame } : other
}

/** What an error frame says, as an error. A code of a later version keeps its meaning in words and `retryable`. */
export function errorOf(frame: {
  code: string
  detail?: string
  retryable: boolean
  retryAfterMs?: number
}): KlatschError {
  const options = frame.retryAfterMs === undefined ? undefined : { retryAfterMs: frame.retryAfterMs }
  if (isErrorCode(frame.code)) return new KlatschError(frame.code, frame.detail, options)
  const code = frame.retryable ? 'server.unavailable' : 'request.invalid'
  return new KlatschError(code, `${frame.code}: ${frame.detail ?? ''}`, options)
}
