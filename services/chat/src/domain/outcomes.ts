import type { ErrorCode, Reply } from '@klatsch/contracts'

/**
 * What became of a command, kept for ever under (actor, id). `hash`: of type, subject and data, absent where they
 * were never known (cancelled beforehand, undecodable). `seq`: of its first event, or the head if it appended none.
 */
export interface Outcome {
  readonly actor: string
  readonly id: string
  readonly hash?: string | undefined
  readonly subject?: string | undefined
  readonly state: 'accepted' | 'rejected' | 'held' | 'cancelled'
  readonly seq?: number | undefined
  readonly code?: ErrorCode | undefined
  readonly detail?: string | undefined
}

export interface OutcomeKey {
  readonly actor: string
  readonly id: string
}

export const outcomeKey = (actor: string, id: string): string => `${actor} ${id}`

export function replyOf(outcome: Outcome): Reply {
  const { id, actor, subject, state, seq, code, detail } = outcome
  return {
    id,
    actor,
    ...(subject === undefined ? {} : { subject }),
    state,
    ...(seq === undefined ? {} : { seq }),
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
  }
}

/** Words that quote input, made so that Postgres can store them. */
export const storable = (detail: string): string =>
  detail.slice(0, 300).replaceAll('\u0000', '').toWellFormed()
