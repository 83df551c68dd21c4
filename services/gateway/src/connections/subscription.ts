import type { FollowMode, ServerFrame } from '@klatsch/contracts'
import type { TrackedStream } from './tracked-stream.ts'

/** What the delivery engine needs of a socket. */
export interface Subscriber {
  readonly userId: string
  /** Whether more is waiting to be written than a reader who keeps up would have. */
  readonly congested: boolean
  /** Whether so much is waiting that passing events are left out, to make room for messages. */
  readonly crowded: boolean
  readonly closed: boolean
  /** Takes whole frames, to be written with everything else of this turn. */
  push(frames: Buffer): void
  send(frame: ServerFrame): void
  /** The subscription is over (left, removed, room gone). */
  ended(subject: string): void
  /** The stream's history is another one: whether this user is a member in it is to be asked. */
  doubted(subject: string): void
}

/**
 * One socket's reading of one stream. In `digest` mode it is told how far the stream is. In `full` mode: while `live`, everything the stream flushes is pushed to it, and its position is
 * the stream's own; while not, it pulls from `sent` at its own pace, and goes live in the turn in which both are equal.
 */
export interface Subscription {
  readonly subscriber: Subscriber
  readonly stream: TrackedStream
  /** The seq from which this user may read. */
  readonly first: number
  readonly mode: FollowMode
  /** Up to this seq Postgres itself said that this user is a member: what ended before counts for nothing. */
  readonly judged: number
  live: boolean
  over: boolean
  /** Whether a catch-up is under way. */
  pulling: boolean
  /** While not live: the last seq pushed. With digests: the head last told. */
  sent: number
  /** While not live: the chain at `sent`, to be compared with what comes next; undefined when not known. */
  chain: string | undefined
  /** The last seq this user may have: membership ended there. */
  until: number | undefined
}
