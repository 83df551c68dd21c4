import { z } from 'zod'
import { streamTipSchema } from './cursors.ts'
import { actorSchema, subjectSchema, uuidSchema } from './ids.ts'

/**
 * What gateways and the laboratory ask of `chat` besides passing on people's reads: over HTTP, with the internal token
 * as bearer. `user` is the authenticated user on whose behalf it asks.
 */

/** `POST /internal/streams`: which of these may these users read, and where do they end. `all`: every room one is in. */
export const streamsBodySchema = z.object({
  questions: z
    .array(
      z.object({
        user: uuidSchema,
        follow: z.union([z.literal('all'), z.array(subjectSchema).max(20_000).readonly()]),
        /** Under which the user says hello: whether it has ended is told, and then nothing else. */
        session: uuidSchema.optional(),
      }),
    )
    .max(500),
})
export type StreamsBody = z.infer<typeof streamsBodySchema>
export const streamsAnswerSchema = z.object({
  /** Each once, whoever may read it. */
  streams: z.array(streamTipSchema.extend({ subject: subjectSchema })),
  /** For each question: the streams by their index, and from which seq on. */
  answers: z.array(
    z.union([z.literal('ended'), z.array(z.tuple([z.int().nonnegative(), z.int().positive()]))]),
  ),
})
export type StreamsAnswer = z.infer<typeof streamsAnswerSchema>

/** `POST /internal/heads`: where these streams end now, unreadable and missing ones left out. */
export const headsBodySchema = z.object({ subjects: z.array(subjectSchema).max(20_000) })
export const headsAnswerSchema = z.object({ heads: z.record(subjectSchema, streamTipSchema) })
export type HeadsAnswer = z.infer<typeof headsAnswerSchema>

/**
 * `POST /internal/events`: for each page the events after a seq, ascending, each as the exact text that is on the log. A
 * page may end early, with at least one event, so that the answer does not become too large.
 */
export const eventsBodySchema = z.object({
  pages: z
    .array(
      z.object({
        subject: subjectSchema,
        after: z.int().nonnegative(),
        limit: z.int().min(1).max(1_000),
      }),
    )
    .max(64),
})
export type EventsBody = z.infer<typeof eventsBodySchema>
export const eventsAnswerSchema = z.object({
  pages: z.array(z.object({ items: z.array(z.string()), head: streamTipSchema })),
})
export type EventsAnswer = z.infer<typeof eventsAnswerSchema>

/** `POST /internal/sessions/ended`: sessions that ended and of which access tokens may still be about. */
export const endedSessionsAnswerSchema = z.object({ sessions: z.array(uuidSchema) })
export type EndedSessionsAnswer = z.infer<typeof endedSessionsAnswerSchema>

const nameSchema = z.object({ actor: actorSchema, id: uuidSchema })

/** `POST /internal/outcomes`: what became of these commands; those without an outcome are left out. */
export const outcomesBodySchema = z.object({ names: z.array(nameSchema).max(1_000) })
export const outcomesAnswerSchema = z.object({
  outcomes: z.array(
    nameSchema.extend({
      subject: subjectSchema.optional(),
      state: z.enum(['accepted', 'rejected', 'held', 'cancelled']),
      seq: z.int().nonnegative().optional(),
      code: z.string().optional(),
      detail: z.string().optional(),
      time: z.iso.datetime(),
    }),
  ),
})
export type OutcomesAnswer = z.infer<typeof outcomesAnswerSchema>

/** `POST /internal/command-rows`: every row that this command left, in any table, as it is now. */
export const commandRowsBodySchema = nameSchema
export const commandRowsAnswerSchema = z.object({
  rows: z.array(z.object({ table: z.string(), row: z.record(z.string(), z.unknown()) })),
})
export type CommandRowsAnswer = z.infer<typeof commandRowsAnswerSchema>
