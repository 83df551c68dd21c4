import { z } from 'zod'

const ms = z.int().min(1).max(3_600_000)
const curve = { baseMs: ms, capMs: ms }

/**
 * How the waits between attempts grow. `exponential` doubles from `baseMs` up to `capMs`; `full-jitter` waits a random time up to
 * that; `decorrelated-jitter` a random time from `baseMs` to three times the wait before, up to `capMs`.
 */
export const backoffSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fixed'), ms }),
  z.strictObject({ kind: z.literal('exponential'), ...curve }),
  z.strictObject({ kind: z.literal('full-jitter'), ...curve }),
  z.strictObject({ kind: z.literal('decorrelated-jitter'), ...curve }),
])
export type Backoff = z.output<typeof backoffSchema>

const attempts = z.int().min(1).max(100)
/** `ownAttempts`: of a record that fails by a fault of its own; `passingAttempts`: of one that fails by a passing fault. */
const limited = {
  backoff: backoffSchema,
  ownAttempts: attempts,
  passingAttempts: z.union([attempts, z.literal('forever')]),
}

/**
 * What a consumer does about a record that fails.
 * `block`: a passing fault holds up its partition for as long as it lasts; a record with a fault of its own goes to the dead letters.
 * `park`: after its attempts its key is blocked, and the record and all later ones of the key wait beside, in order, until they are redriven.
 * `skip`: after its attempts it goes to the dead letters, and later ones go on: the order of its key is lost.
 * `tiers`: after its attempts it goes to the consumer's delay topics, one after the other, and then to the dead
 * letters; later ones go on: the order of its key is lost.
 */
export const retryPolicySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('block'), backoff: backoffSchema, ownAttempts: attempts }),
  z.strictObject({ kind: z.literal('park'), ...limited }),
  z.strictObject({ kind: z.literal('skip'), ...limited }),
  z.strictObject({ kind: z.literal('tiers'), ...limited }),
])
export type RetryPolicy = z.output<typeof retryPolicySchema>
export type RetryPolicyKind = RetryPolicy['kind']

/** A delay topic: its records are handled when they have been in it for `delayMs`. */
export interface RetryTier {
  readonly topic: string
  readonly delayMs: number
}

const tierDelays = { '1s': 1_000, '10s': 10_000, '1m': 60_000 } as const

/** The delay topics of a consumer group, in the order in which a record goes through them. */
export const retryTiersOf = (group: string): readonly RetryTier[] =>
  Object.entries(tierDelays).map(([name, delayMs]) => ({ topic: `${group}.retry.${name}`, delayMs }))

/** Headers of a record in a delay topic: where it came from and what became of it. Times are RFC 3339. */
export const retryHeaders = {
  topic: 'retry.topic',
  partition: 'retry.partition',
  offset: 'retry.offset',
  attempts: 'retry.attempts',
  code: 'retry.code',
  firstFailedAt: 'retry.first-failed-at',
} as const

const counted = z.int().nonnegative()
const happened = {
  /** RFC 3339. */
  time: z.iso.datetime(),
  group: z.string(),
  /** Of the record, as it was first sent. */
  topic: z.string(),
  partition: counted,
  offset: z.string().regex(/^\d+$/),
  key: z.string(),
  /** How many records it happened to together, from `offset` on in one partition; `key` is the first one's. */
  records: z.int().positive(),
  policy: z.enum(['block', 'park', 'skip', 'tiers']),
  /** How often it has been tried so far. */
  attempt: counted,
}
const code = z.string()

/** The value of a record on `lab.attempts`: what went wrong with a record, and what was done about it. */
export const attemptSchema = z.discriminatedUnion('kind', [
  z
    .object({
      kind: z.literal('failed'),
      ...happened,
      fault: z.enum(['passing', 'own']),
      code,
      delayMs: counted.optional(),
    })
    .describe('An attempt failed. With `delayMs` there is another after so long.'),
  z
    .object({ kind: z.literal('recovered'), ...happened })
    .describe('An attempt succeeded after others had failed.'),
  z
    .object({ kind: z.literal('deferred'), ...happened, code, to: z.string(), delayMs: counted })
    .describe('The record went to a delay topic.'),
  z
    .object({ kind: z.literal('dead-lettered'), ...happened, code, to: z.string() })
    .describe('The record went to the dead letters.'),
  z
    .object({ kind: z.literal('parked'), ...happened, code: code.optional() })
    .describe(
      'The record was parked: with `code` because it failed, which blocked its key; without because its key was blocked.',
    ),
  z
    .object({ kind: z.literal('redriven'), ...happened, freed: z.boolean() })
    .describe('Parked records were handled; `freed`: they were the last of their key.'),
  z
    .object({ kind: z.literal('dropped'), time: happened.time, group: z.string(), count: z.int().positive() })
    .describe('So many attempts were not told, because too many waited to be.'),
])
export type Attempt = z.output<typeof attemptSchema>

/** The type of an attempt in its `ce_type` header. */
export const attemptType = (kind: Attempt['kind']): string => `lab.attempt.${kind}.v1`
