import type { EventsAnswer, HeadsAnswer, StreamsAnswer } from '@klatsch/contracts'

/** A stream that a user may read, from `first` on, and where it ended when Postgres said so. */
export type Readable = StreamsAnswer['streams'][number]

/**
 * What the delivery engine asks of `chat`. Every call has a time limit and rejects with a retryable
 * `KlatschError` when there is no answer.
 */
export interface ChatQueries {
  /** The streams a user may read, of those asked for. @throws KlatschError `auth.session_ended` when `session` has. */
  streams(user: string, follow: 'all' | readonly string[], session?: string): Promise<readonly Readable[]>
  heads(subjects: readonly string[]): Promise<HeadsAnswer['heads']>
  /** Events after a seq, ascending, as the exact text on the log, and where the stream ends. */
  events(subject: string, after: number, limit: number): Promise<EventsAnswer>
}
