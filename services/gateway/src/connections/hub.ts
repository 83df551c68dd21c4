import { type Bugs, type Cursor, emptyTip, type FollowMode, noBugs, type StreamTip } from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'
import { type Asking, createAsking } from './asking.ts'
import { createCatchUp } from './catch-up.ts'
import { type FeedCounts, noCounts } from './counts.ts'
import { createDigests } from './digests.ts'
import type { FeedEvent } from './feed-event.ts'
import { keepCheckingHeads } from './head-check.ts'
import { createHealer } from './healer.ts'
import { roomJoined, stillMember, whoLeft } from './memberships.ts'
import { Pace } from './pace.ts'
import { PassersBy } from './passers-by.ts'
import type { ChatQueries, Readable } from './queries.ts'
import { RingBudget } from './ring.ts'
import type { Subscriber, Subscription } from './subscription.ts'
import { TrackedStream } from './tracked-stream.ts'
import { Users } from './users.ts'

/** Streams nobody here follows any more are kept this long, for those who come right back. */
const LINGER_MS = 60_000

export interface Hub {
  readonly counts: FeedCounts
  readonly streams: number
  /** Questions to `chat` that wait, and pushes that wait for another turn. */
  readonly waiting: Asking['waiting'] & { readonly pushes: number }
  /** Hands in what came from `chat.events`, in the order of its partition. */
  accept(events: Iterable<FeedEvent>): void
  /** Whether events of this stream are wanted here; others need not be built. */
  wants(subject: string): boolean
  /** An event went by that is not wanted. */
  passed(subject: string, seq: number): void
  /** The users of those who follow a stream here, one for each socket. */
  followers(subject: string): string[]
  /** An outcome says that the stream has this seq: look, if it has not come yet. */
  heard(subject: string, seq: number): void
  readonly users: Users
  /** Asks what a user may read, and tracks it, so that nothing after the heads in the answer is missed. */
  ask(user: string, follow: 'all' | readonly string[], session?: string): Promise<readonly Readable[]>
  head(subject: string): StreamTip
  /**
   * Whether a user who might read the stream when Postgres was asked still may, after what came since; undefined where
   * that is no longer known here, and must be asked again.
   */
  mayStillRead(user: string, asked: Readable): boolean | undefined
  /**
   * Subscribes at a cursor, or at the head without one; answers with `live` or `reset` when it has caught up. With
   * `digest` the cursor counts for nothing, and the answer is the first digest.
   */
  subscribe(
    subscriber: Subscriber,
    asked: Readable,
    cursor: Cursor | undefined,
    mode: FollowMode,
  ): Subscription
  unsubscribe(subscription: Subscription): void
  /** Goes on telling a subscription what it has not been told. */
  pull(subscription: Subscription): void
  /** Compares a client's sample with what is known here; a mismatch is answered with `reset`. */
  compare(subscription: Subscription, cursor: Cursor): void
  close(): void
}

export function createHub(options: {
  queries: ChatQueries
  scheduler: Scheduler
  random: () => number
  ringBytes: number
  warn: (fields: object, message: string) => void
  /** Runs a task at the end of this turn: once for all that came in it. */
  atEndOfTurn: (task: () => void) => void
  bugs?: Bugs
}): Hub {
  const { bugs = noBugs, queries, scheduler, random, warn } = options
  const streams = new Map<string, TrackedStream>()
  const users = new Users()
  const passersBy = new PassersBy()
  const asking = createAsking(queries, options.atEndOfTurn)
  const pace = new Pace(scheduler)
  const dirty = new Set<TrackedStream>()
  const budget = new RingBudget(options.ringBytes)
  const counts = noCounts()
  const digests = createDigests({ scheduler, counts })
  const closing = new AbortController()
  let flushScheduled = false

  function flush(stream: TrackedStream): void {
    counts.delivered += stream.flush()
  }

  function pull(subscription: Subscription): void {
    if (subscription.mode === 'digest') digests.tell(subscription)
    else void catchUp.run(subscription)
  }

  function touch(stream: TrackedStream): void {
    dirty.add(stream)
    if (flushScheduled) return
    flushScheduled = true
    options.atEndOfTurn(() => {
      flushScheduled = false
      for (const each of dirty) {
        flush(each)
        for (const subscription of each.behind) void catchUp.run(subscription)
        digests.moved(each)
      }
      dirty.clear()
    })
  }

  const healer = createHealer({
    off: bugs.has('gap-fill-off'),
    asking,
    scheduler,
    random,
    warn,
    signal: closing.signal,
    take: (stream, event) => takeIn(stream, event),
    restart: (stream, head) => {
      counts.diverged += 1
      stream.restart(head)
      for (const subscription of stream.subscriptions) {
        if (subscription.mode === 'full') catchUp.reset(subscription, 'fork')
        else subscription.sent = -1
        subscription.subscriber.doubted(stream.subject)
      }
      digests.moved(stream)
    },
    healed: () => {
      counts.healed += 1
    },
  })

  const catchUp = createCatchUp({
    asking,
    pace,
    scheduler,
    random,
    counts,
    signal: closing.signal,
    warn,
    flush,
    expect: healer.expect,
  })

  function takeIn(stream: TrackedStream, event: FeedEvent): void {
    const arrival = stream.accept(event)
    switch (arrival.kind) {
      case 'ready':
        touch(stream)
        // One by one: who leaves must not be pushed what comes after.
        for (const ready of arrival.events) {
          stream.append(ready)
          understand(stream, ready)
        }
        return
      case 'hole':
        healer.hole(stream)
        return
      case 'fork':
        healer.fork(stream)
        return
      case 'nothing':
        return
    }
  }

  function understand(stream: TrackedStream, event: FeedEvent): void {
    const leaver = whoLeft(event)
    if (leaver !== undefined) {
      flush(stream)
      for (const subscription of stream.subscriptions) {
        if (subscription.subscriber.userId !== leaver || event.seq <= subscription.judged) continue
        subscription.until = event.seq
        if (subscription.live || subscription.mode === 'digest') catchUp.end(subscription, event.seq)
      }
    }
    const joined = roomJoined(event)
    if (joined) for (const follower of users.of(event.subject)) follower.joined(joined.room, joined.seq)
  }

  /** Tracks a stream that ended there when Postgres was asked. */
  function track({ subject, head }: Readable): void {
    const known = streams.get(subject)
    if (known) {
      healer.expect(known, head.seq)
      return
    }
    const stream = new TrackedStream(subject, head, budget, bugs)
    stream.unusedSince = scheduler.now()
    streams.set(subject, stream)
    healer.expect(stream, passersBy.seen(subject))
  }

  /** Those that somebody follows; those that nobody has followed for a while are let go of. */
  function inUse(): TrackedStream[] {
    const now = scheduler.now()
    for (const stream of streams.values()) {
      if (stream.unusedSince !== undefined && now - stream.unusedSince > LINGER_MS) {
        streams.delete(stream.subject)
        stream.close()
      }
    }
    return [...streams.values()].filter((stream) => stream.unusedSince === undefined)
  }
  void keepCheckingHeads({
    streams: inUse,
    queries,
    healer,
    counts,
    scheduler,
    random,
    signal: closing.signal,
    warn,
  })

  return {
    counts,
    get streams() {
      return streams.size
    },
    get waiting() {
      return { ...asking.waiting, pushes: pace.waiting }
    },
    wants: (subject) => streams.has(subject),
    passed: (subject, seq) => passersBy.note(subject, seq),
    followers: (subject) =>
      [...(streams.get(subject)?.subscriptions ?? [])].map(({ subscriber }) => subscriber.userId),
    accept(events) {
      for (const event of events) {
        const stream = streams.get(event.subject)
        if (stream) takeIn(stream, event)
      }
    },
    heard(subject, seq) {
      const stream = streams.get(subject)
      if (stream) healer.expect(stream, seq)
    },
    users,
    async ask(user, follow, session) {
      passersBy.begin()
      try {
        const readable = await asking.readable(user, follow, session)
        for (const stream of readable) track(stream)
        return readable
      } finally {
        passersBy.end()
      }
    },
    head: (subject) => streams.get(subject)?.head ?? emptyTip,
    mayStillRead(user, { subject, head }) {
      const stream = streams.get(subject)
      if (!stream || stream.head.seq <= head.seq) return true
      const since = stream.recent(head.seq)
      return since && stillMember(user, since)
    },
    subscribe(subscriber, { subject, first, head: asked }, cursor, mode) {
      const stream = streams.get(subject)
      if (!stream) throw new Error(`${subject} is not tracked`)
      flush(stream)
      const { seq } = stream.head
      const from = cursor ? Math.max(cursor.seq, first - 1) : seq
      const sent = cursor && bugs.has('resume-skips-one') ? Math.min(from + 1, seq) : from
      const subscription: Subscription = {
        subscriber,
        stream,
        first,
        mode,
        judged: Math.max(asked.seq, seq),
        live: false,
        over: false,
        pulling: false,
        sent: mode === 'digest' ? -1 : sent,
        chain: cursor && cursor.seq === sent ? (sent === 0 ? '' : cursor.chain) : undefined,
        until: undefined,
      }
      stream.add(subscription)
      pull(subscription)
      return subscription
    },
    unsubscribe(subscription) {
      subscription.stream.remove(subscription, scheduler.now())
    },
    pull,
    compare(subscription, cursor) {
      const known = subscription.stream.chainAt(cursor.seq)
      if (known === undefined || cursor.chain === undefined || cursor.seq === 0) return
      counts.checked += 1
      if (known === cursor.chain) return
      counts.diverged += 1
      if (!subscription.over) catchUp.reset(subscription, 'fork')
    },
    close() {
      closing.abort()
      digests.close()
      for (const stream of streams.values()) stream.close()
    },
  }
}
