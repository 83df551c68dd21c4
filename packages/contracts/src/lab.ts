import { z } from 'zod'
import { actorSchema, subjectSchema, uuidSchema } from './ids.ts'
import { POSITIONS, readPosition } from './records.ts'

/**
 * The laboratory's API, under `/api/lab`, for administrators only. Times are RFC 3339, offsets are 64-bit numbers as text.
 */

const time = z.iso.datetime()
const offset = z.string().regex(/^\d{1,19}$/, 'must be an offset')
const partition = z.int().nonnegative()
const count = z.int().nonnegative()
const positionWord = z
  .string()
  .max(2_000)
  .refine((word) => readPosition(word, 0) !== undefined, `must be ${POSITIONS}`)

/** `GET /api/lab/topics` → `{items}`. `perSecond`: over the last half minute; absent until it is known. */
export const labTopicSchema = z.object({
  topic: z.string(),
  describe: z.string(),
  records: count,
  perSecond: z.number().optional(),
  /** `end`: the offset the next record gets. */
  partitions: z.array(z.object({ partition, begin: offset, end: offset })),
  /** Groups with a committed position here. Gateways read everything and commit nothing, so they have none. */
  groups: z.array(z.object({ group: z.string(), state: z.string(), members: count, lag: count })),
})
export type LabTopic = z.output<typeof labTopicSchema>

/** A record as it is on the log. `value`: parsed where it is JSON, else as text. */
export const labRecordSchema = z.object({
  topic: z.string(),
  partition,
  offset,
  key: z.string(),
  time,
  headers: z.record(z.string(), z.string()),
  value: z.unknown(),
})
export type LabRecord = z.output<typeof labRecordSchema>

const filter = {
  key: z.string().max(200).optional(),
  type: z.string().max(100).optional(),
  actor: actorSchema.optional(),
  room: subjectSchema.optional(),
  text: z.string().max(200).optional(),
}

/** `GET /api/lab/topics/{name}/records`. With filters and `last:` the newest that match are looked for among so many. */
export const labRecordsQuerySchema = z.object({
  from: positionWord.default('last:50'),
  to: positionWord.optional(),
  partition: z.coerce.number().int().nonnegative().max(10_000).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  ...filter,
})
export type LabRecordsQuery = z.output<typeof labRecordsQuerySchema>

/**
 * In the order of their times, and within a partition of their offsets. `next`: goes on as `from` where this ended;
 * absent when the end was reached. `scanned`: records that were read to find these.
 */
export const labRecordsSchema = z.object({
  items: z.array(labRecordSchema),
  scanned: count,
  next: z.string().optional(),
})
export type LabRecords = z.output<typeof labRecordsSchema>

const onLog = z.object({ topic: z.string(), partition, offset, key: z.string() })
const row = z.record(z.string(), z.unknown())

/** One step on a command's way. `afterMs`: after the first step; clocks of different machines may disagree. */
export const labStepSchema = z.object({
  kind: z.enum([
    'command',
    'attempt',
    'decided',
    'event',
    'reply',
    'dead-letter',
    'follow-up',
    'follow-up-event',
  ]),
  time,
  afterMs: z.number(),
  /** Where it is on the log, or in which table. */
  record: onLog.optional(),
  table: z.string().optional(),
  /** In words: the type, the outcome, the reason. */
  what: z.string(),
  by: z.string(),
})
export type LabStep = z.output<typeof labStepSchema>

/** `GET /api/lab/follow/{id}?actor=` */
export const labFollowQuerySchema = z.object({ actor: actorSchema.optional() })

/**
 * The way of a command through every topic and table. `complete` is false when the log was too long to be read. `askedFor`: the id of
 * something that came of the command was given; what it is, and where it is on the log.
 */
export const labFollowSchema = z.object({
  id: uuidSchema,
  askedFor: z
    .object({ id: uuidSchema, kind: z.enum(['event', 'follow-up']), what: z.string(), record: onLog })
    .optional(),
  actor: z.string(),
  subject: z.string().optional(),
  type: z.string().optional(),
  traceIds: z.array(z.string()),
  state: z.enum(['unknown', 'accepted', 'rejected', 'held', 'cancelled']),
  code: z.string().optional(),
  steps: z.array(labStepSchema),
  /** What Postgres has of it, by table. */
  rows: z.array(z.object({ table: z.string(), row })),
  complete: z.boolean(),
})
export type LabFollow = z.output<typeof labFollowSchema>

/** A dead letter: a record that its consumer could not take, and why. */
export const labLetterSchema = z.object({
  /** In the dead letters. */
  record: labRecordSchema,
  /** Where it came from. */
  origin: z.object({ topic: z.string(), partition: z.string(), offset: z.string(), group: z.string() }),
  code: z.string(),
  error: z.string(),
  attempts: z.string(),
  firstFailedAt: z.string(),
  lastFailedAt: z.string(),
  /** What became of the command since; absent where the record has no name. */
  state: z.enum(['unknown', 'accepted', 'rejected', 'held', 'cancelled']).optional(),
})
export type LabLetter = z.output<typeof labLetterSchema>

/** `GET /api/lab/dlq` → the latest letters, and how many there are of each kind. */
export const labDlqQuerySchema = z.object({
  topic: z.string().max(200).optional(),
  code: z.string().max(100).optional(),
  key: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
})
export type LabDlqQuery = z.output<typeof labDlqQuerySchema>

export const labDlqSchema = z.object({
  kinds: z.array(
    z.object({
      topic: z.string(),
      group: z.string(),
      code: z.string(),
      count,
      /** Of them, commands whose outcome is still "held", and records that have no name to have an outcome under. */
      open: count,
      first: time,
      last: time,
    }),
  ),
  items: z.array(labLetterSchema),
  complete: z.boolean(),
})
export type LabDlq = z.output<typeof labDlqSchema>

/** `GET /api/lab/audit?before=&limit=` → `{items}`, latest first: every change made here, and by whom. */
export const labAuditQuerySchema = z.object({
  before: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
})
export const labAuditEntrySchema = z.object({
  id: z.int().positive(),
  time,
  actor: z.string(),
  name: z.string(),
  action: z.string(),
  detail: row,
})
export type LabAuditEntry = z.output<typeof labAuditEntrySchema>

const perSecond = z.int().min(1).max(10_000)

/**
 * `POST /api/lab/dlq/redrive`: sends held commands of the dead letters again through chat, in their order. With `dryRun`
 * nothing is sent: the answer says what would be.
 */
export const redriveBodySchema = z.strictObject({
  code: z.string().max(100).optional(),
  key: z.string().max(200).optional(),
  /** One letter: its place in the dead letters. */
  at: z.strictObject({ partition, offset }).optional(),
  limit: z.int().min(1).max(10_000).default(10_000),
  perSecond: perSecond.default(50),
  dryRun: z.boolean().default(false),
})
export type RedriveBody = z.output<typeof redriveBodySchema>

/** A topic that is nobody's: what is replayed into it disturbs nothing. */
export const replayTargetSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'must be a name of small letters, digits, dot, dash and underscore')
  .refine(
    (name) => !/^(chat|presence|lab)([.]|$)/.test(name),
    'must not begin with chat., presence. or lab.: those topics are read by services',
  )

/** `POST /api/lab/replay`: copies a range of records into another topic, which is made when it is not there. */
export const replayBodySchema = z.strictObject({
  topic: z.string().max(200),
  from: positionWord.default('begin'),
  to: positionWord.optional(),
  partition: partition.max(10_000).optional(),
  ...filter,
  limit: z.int().min(1).max(100_000).default(100_000),
  target: replayTargetSchema,
  perSecond: perSecond.default(1_000),
  dryRun: z.boolean().default(false),
})
export type ReplayBody = z.output<typeof replayBodySchema>

/** Work that goes on after the answer. `done` of `total` records are sent. */
export const labJobSchema = z.object({
  id: uuidSchema,
  what: z.enum(['redrive', 'replay']),
  state: z.enum(['running', 'done', 'cancelled', 'failed']),
  reason: z.string().optional(),
  total: count,
  done: count,
  startedAt: time,
  by: z.string(),
})
export type LabJob = z.output<typeof labJobSchema>

/**
 * What `redrive` and `replay` answer: how many records are meant, the first of them, and, without `dryRun`, the job.
 * `skipped`: letters that are no held commands any more. `next`: where to go on from, when there was too much for once.
 */
export const labJobAnswerSchema = z.object({
  count,
  skipped: count,
  items: z.array(labRecordSchema),
  next: z.string().optional(),
  job: labJobSchema.optional(),
})
export type LabJobAnswer = z.output<typeof labJobAnswerSchema>
