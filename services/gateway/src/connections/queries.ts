import type { EventsBody, HeadsAnswer, StreamsBody, StreamTip } from '@klatsch/contracts'

/** A stream that a user may read, from `first` on, and where it ended when Postgres said so. */
export interface Readable {
  readonly subject: string
  readonly first: number
  readonly head: StreamTip
}
export type StreamsQuestion = StreamsBody['questions'][number]
export type PageQuestion = EventsBody['pages'][number]
export interface EventsPage {
  /** Ascending, as the exact text on the log. */
  readonly items: readonly string[]
  readonly head: StreamTip
}

/**
 * What a gateway asks of `chat`: one request a call, one answer for each question, in their order. Every call has a time
 * limit and rejects with a retryable `KlatschError` when there is no answer.
 */
export interface ChatQueries {
  /** The streams that users may read, of those asked for; `ended` when the session in the question has. */
  streams(questions: readonly StreamsQuestion[]): Promise<readonly (readonly Readable[] | 'ended')[]>
  heads(subjects: readonly string[]): Promise<HeadsAnswer['heads']>
  events(pages: readonly PageQuestion[]): Promise<readonly EventsPage[]>
}
