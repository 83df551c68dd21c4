import type { EventsAnswer, HeadsAnswer, StreamsAnswer } from '@klatsch/contracts'

/**
 * What the delivery engine asks of `chat`. Every call has a time limit and rejects with a retryable
 * `KlatschError` when there is no answer.
 */
export interface ChatQueries {
  /** The streams a user may read, of those asked for. */
  streams(user: string, follow: 'all' | readonly string[]): Promise<StreamsAnswer['streams']>
  heads(subjects: readonly string[]): Promise<HeadsAnswer['heads']>
  /** Events after a seq, ascending, as the exact text on the log, and where the stream ends. */
  events(subject: string, after: number, limit: number): Promise<EventsAnswer>
}
