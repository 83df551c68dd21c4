import { type Cursor, type Head, userSubject } from '@klatsch/contracts'
import { pause, type Scheduler } from '@klatsch/streams'
import { type Bugs, noBugs } from '../domain/bugs.ts'
import { createCatchUp, type FeedCounts } from './catch-up.ts'
import { type FeedEvent, parseFeedEvent } from './feed-event.ts'
import { createHealer } from './healer.ts'
import type { ChatQueries } from './queries.ts'
import { RingBudget } from './ring.ts'
import type { Subscriber, Subscription } from './subscription.ts'
import { TrackedStream } from './tracked-stream.ts'

/** Streams nobody here follows any more are kept this long, for those who come right back. */
const LINGER_MS = 60_000
const HEAD_CHECK_MS = 15_000
const HEADS_PER_QUERY = 5_000

/** A user here, as the hub must know of it: to follow rooms joined later. */
export interface Follower extends Subscriber {
  /** A room was joined: its first event for this user is `seq`. */
  joined(subject: string, seq: number): void
}

export interface Hub {
  readonly counts: FeedCounts
  readonly streams: number
  /** Hands in what came from `chat.events`, in the order of its partition. */
  accept(events: Iterable<FeedEvent>): void
  /** Whether events of this stream are wanted here; others need not be built. */
  wants(subject: string): boolean
  /** The users of those who follow a stream here, one for each socket. */
  followers(subject: string): string[]
  /** An outcome says that the stream has this seq: look, if it has not come yet. */
  heard(subject: string, seq: number): void
  arrive(follower: Follower): void
  depart(follower: Follower): void
  /** Tracks these streams, so that nothing after the answer is missed. */
  track(subjects: readonly string[]): Promise<void>
  head(subject: string): Head
  /** Subscribes at a cursor, or at the head without one; answers with `live` or `reset` when it has caught up. */
  subscribe(subscriber: Subscriber, subject: string, first: number, cursor: Cursor | undefined): Subscription
  unsubscribe(subscription: Subscription): void
  /** Goes on pushing to a subscription that is not live. */
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
  const followers = new Map<string, Set<Follower>>()
  const dirty = new Set<TrackedStream>()
  const budget = new RingBudget(options.ringBytes)
  const counts: FeedCounts = { delivered: 0, headsCompared: 0, diverged: 0, healed: 0, resets: 0 }
  const closing = new AbortController()
  let flushScheduled = false

  function flush(stream: TrackedStream): void {
    counts.delivered += stream.flush()
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
      }
      dirty.clear()
    })
  }

  const healer = createHealer({
    off: bugs.gapFillOff,
    queries,
    scheduler,
    random,
    warn,
    signal: closing.signal,
    take: (stream, event) => takeIn(stream, event),
    restart: (stream, head) => {
      counts.diverged += 1
      stream.restart(head)
      for (const subscription of stream.subscriptions) catchUp.reset(subscription, 'fork')
    },
    healed: () => {
      counts.healed += 1
    },
  })

  const catchUp = createCatchUp({
    queries,
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

  /** Memberships decide who gets what: the few events that are read here and not only passed on. */
  function understand(stream: TrackedStream, event: FeedEvent): void {
    if (event.type === 'chat.member.left.v1') {
      const { user } = parseFeedEvent(event).data as { user: string }
      flush(stream)
      for (const subscription of stream.subscriptions) {
        if (subscription.subscriber.userId !== user) continue
        subscription.until = event.seq
        if (subscription.live) catchUp.end(subscription, event.seq)
      }
    } else if (event.type === 'chat.membership.added.v1') {
      const { room, seq } = parseFeedEvent(event).data as { room: string; seq: number }
      for (const follower of followers.get(event.subject) ?? []) follower.joined(room, seq)
    }
  }

  async function openStreams(opening: readonly TrackedStream[]): Promise<void> {
    for (let from = 0; from < opening.length; from += HEADS_PER_QUERY) {
      const some = opening.slice(from, from + HEADS_PER_QUERY)
      const heads = await queries.heads(some.map((stream) => stream.subject))
      for (const stream of some) {
        for (const event of stream.open(heads[stream.subject] ?? { seq: 0, chain: '' })) takeIn(stream, event)
      }
    }
  }

  /** A silent tail is found too: the heads of all that is followed here, in few queries. */
  async function checkHeads(): Promise<void> {
    const now = scheduler.now()
    for (const stream of streams.values()) {
      if (stream.unusedSince !== undefined && now - stream.unusedSince > LINGER_MS) {
        streams.delete(stream.subject)
        stream.close()
      }
    }
    const open = [...streams.values()].filter((stream) => stream.isOpen && stream.unusedSince === undefined)
    for (let from = 0; from < open.length; from += HEADS_PER_QUERY) {
      const some = open.slice(from, from + HEADS_PER_QUERY)
      const before = some.map((stream) => stream.head)
      const heads = await queries.heads(some.map((stream) => stream.subject))
      some.forEach((stream, index) => {
        counts.headsCompared += 1
        const then = before[index]!
        const head = heads[stream.subject] ?? { seq: 0, chain: '' }
        const forked = head.seq < then.seq || (head.seq === then.seq && head.chain !== then.chain)
        if (forked) healer.fork(stream)
        else healer.expect(stream, head.seq)
      })
    }
  }

  async function keepChecking(): Promise<void> {
    while (!closing.signal.aborted) {
      await pause(scheduler, HEAD_CHECK_MS * (0.75 + random() / 2), closing.signal)
      if (closing.signal.aborted) return
      await checkHeads().catch((error) => warn({ err: error }, 'asking for heads failed; trying again later'))
    }
  }
  void keepChecking()

  return {
    counts,
    get streams() {
      return streams.size
    },
    wants: (subject) => streams.has(subject),
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
    arrive(follower) {
      const subject = userSubject(follower.userId)
      const same = followers.get(subject)
      if (same) same.add(follower)
      else followers.set(subject, new Set([follower]))
    },
    depart(follower) {
      const subject = userSubject(follower.userId)
      const same = followers.get(subject)
      same?.delete(follower)
      if (same?.size === 0) followers.delete(subject)
    },
    async track(subjects) {
      const fresh: TrackedStream[] = []
      const waits: Promise<void>[] = []
      for (const subject of subjects) {
        let stream = streams.get(subject)
        if (!stream) {
          stream = new TrackedStream(subject, budget)
          stream.unusedSince = scheduler.now()
          streams.set(subject, stream)
        }
        if (stream.isOpen) continue
        if (stream.opening) waits.push(stream.opening)
        else fresh.push(stream)
      }
      if (fresh.length > 0) {
        const opening = openStreams(fresh).finally(() => {
          for (const stream of fresh) stream.opening = undefined
        })
        for (const stream of fresh) stream.opening = opening
        waits.push(opening)
      }
      await Promise.all(waits)
    },
    head: (subject) => streams.get(subject)?.head ?? { seq: 0, chain: '' },
    subscribe(subscriber, subject, first, cursor) {
      const stream = streams.get(subject)
      if (!stream?.isOpen) throw new Error(`${subject} is not tracked`)
      flush(stream)
      const head = stream.head
      const sent = cursor ? Math.max(cursor.seq, first - 1) : head.seq
      const subscription: Subscription = {
        subscriber,
        stream,
        first,
        live: false,
        over: false,
        pulling: false,
        sent,
        chain: cursor && cursor.seq === sent ? (sent === 0 ? '' : cursor.chain) : undefined,
        until: undefined,
      }
      stream.add(subscription)
      void catchUp.run(subscription)
      return subscription
    },
    unsubscribe(subscription) {
      subscription.stream.remove(subscription, scheduler.now())
    },
    pull: (subscription) => void catchUp.run(subscription),
    compare(subscription, cursor) {
      const known = subscription.stream.chainAt(cursor.seq)
      if (known === undefined || cursor.chain === undefined || cursor.seq === 0) return
      counts.headsCompared += 1
      if (known === cursor.chain) return
      counts.diverged += 1
      if (!subscription.over) catchUp.reset(subscription, 'fork')
    },
    close() {
      closing.abort()
      for (const stream of streams.values()) stream.close()
    },
  }
}
