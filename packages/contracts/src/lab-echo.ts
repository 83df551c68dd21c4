import { z } from 'zod'
import { subjectSchema } from './ids.ts'
import { retryPolicySchema } from './retries.ts'

/**
 * The echo projection, under `/api/lab/echo`, for administrators: a consumer made for study, on which retry policies are
 * raced. It counts per room what comes on `chat.events`, and keeps the last text. It is off until somebody switches it on, and after
 * a restart of the laboratory. Times are RFC 3339, offsets 64-bit numbers as text.
 */

const count = z.int().nonnegative()
const time = z.iso.datetime()
const perSecond = z.number().positive().max(100_000)

/** A key that is blocked, and why: what its first parked record failed with. `take`: so many a redrive would take. */
const blockedKeySchema = z.object({
  key: z.string(),
  code: z.string(),
  error: z.string(),
  attempts: count,
  since: time,
  records: count,
  next: z.object({ topic: z.string(), partition: count, offset: z.string() }),
})

/** A redrive, the latest there was since the laboratory started. `failed`: keys whose next record failed again. */
export const labRedriveSchema = z.object({
  state: z.enum(['running', 'done', 'cancelled', 'broken']),
  handled: count,
  freed: z.array(z.string()),
  failed: z.array(z.object({ key: z.string(), code: z.string(), error: z.string() })),
  perSecond,
})

/** `GET /api/lab/echo?room=`: of that room alone, or of those with the most messages. */
export const labEchoQuerySchema = z.object({ room: subjectSchema.optional() })

export const labEchoSchema = z.object({
  state: z.enum(['off', 'starting', 'running', 'struggling', 'stopped']),
  reason: z.string().optional(),
  /** Records it has not dealt with, those that wait in delay topics included; absent while it is off or starting. */
  lag: count.optional(),
  policy: retryPolicySchema,
  /** A message with this in its text is one it cannot take. */
  poison: z.string().optional(),
  blocked: z.array(blockedKeySchema),
  redrive: labRedriveSchema.optional(),
  /** Those with the most messages. `late`: events applied after a later one; `missing`: not applied, although later ones are. */
  rooms: z.array(
    z.object({
      room: z.string(),
      messages: count,
      lastText: z.string().optional(),
      late: count,
      missing: count,
    }),
  ),
})
export type LabEcho = z.output<typeof labEchoSchema>
export type LabRedrive = z.output<typeof labRedriveSchema>

/** `PATCH /api/lab/echo`: what is left out stays as it is. */
export const labEchoChangeSchema = z.strictObject({
  running: z.boolean().optional(),
  policy: retryPolicySchema.optional(),
  poison: z.string().min(1).max(200).nullable().optional(),
})
export type LabEchoChange = z.output<typeof labEchoChangeSchema>

/**
 * `POST /api/lab/echo/redrive` → 202 with the redrive, or, with `dryRun`, 200 `{keys, records}`. `DELETE` cancels. In order, from the
 * first record of a key on: of all blocked keys, or of those named; `limit` records at most.
 */
export const labRedriveQuerySchema = z.strictObject({
  keys: z.array(z.string().max(200)).max(1_000).optional(),
  limit: z.int().positive().optional(),
  perSecond: perSecond.default(500),
  dryRun: z.boolean().default(false),
})

export const labRedrivePlanSchema = z.object({
  keys: z.array(blockedKeySchema.extend({ take: count })),
  records: count,
})
export type LabRedrivePlan = z.output<typeof labRedrivePlanSchema>
