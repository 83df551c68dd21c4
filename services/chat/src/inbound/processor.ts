import { type Bugs, noBugs } from '@klatsch/contracts'
import {
  type BatchContext,
  type BatchHandler,
  type DeadLetter,
  PassingFault,
  type Publisher,
} from '@klatsch/event-bus'
import { calmPoint, type FaultPoint, type FaultTarget } from '@klatsch/service-kit'
import {
  type Answer,
  type BatchDecision,
  decideBatch,
  type Emitted,
  type Incoming,
  requestOf,
} from '../domain/batch.ts'
import type { CommandStore, PublishedRange, Unpublished } from '../domain/command-store.ts'
import { replyOf } from '../domain/outcomes.ts'
import { unmarkedRanges } from '../domain/unmarked.ts'
import { announce } from '../outbound/announce.ts'
import { decodeCommand, heldOutcome, originOf } from './decode.ts'
import { inGroups } from './groups.ts'
import { traced } from './tracing.ts'

/** Events that a sweep reads and publishes at a time. */
const SWEEP_EVENTS = 500
/** Locks of a transaction that marks what is published. */
const MARKED_AT_ONCE = 1_000

export interface ProcessorOptions {
  readonly store: CommandStore
  readonly publisher: Publisher
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** 16 random bytes, base64url. */
  readonly newSalt: () => string
  readonly bugs?: Bugs
  readonly onBatch?: (report: BatchReport) => void
  /** Where the laboratory can make things go wrong: before the transaction, and between it and publishing. */
  readonly faults?: { readonly persist: FaultPoint; readonly persisted: FaultPoint }
}

/** What became of a batch. Durations in milliseconds. */
export interface BatchReport {
  readonly commands: number
  readonly accepted: number
  readonly rejected: number
  /** Had their outcome before, or could not be given one yet. */
  readonly undecided: number
  readonly events: number
  readonly transactionMs: number
  readonly publishMs: number
}

export interface CommandProcessor {
  /** Decides a batch of commands: when it resolves, all is in Postgres and on the log. */
  readonly handle: BatchHandler
  /** Publishes what is committed and not yet published of the partition's streams. Never beside `handle`. */
  sweep(partition: number, signal?: AbortSignal): Promise<void>
  /**
   * Writes down which events are on the log, of streams that no later batch did it for. To be called now and then, and
   * in the end: what a process dies with is published once more.
   */
  markPublished(): Promise<void>
  /** Gives a record that could not be decided its outcome, and tells its sender. */
  hold(letter: DeadLetter): Promise<void>
}

/**
 * Commands in, decisions in one transaction, events out. Every step may be repeated: outcomes tell what was decided,
 * the published position what was sent.
 */
export function commandProcessor(options: ProcessorOptions): CommandProcessor {
  const { store, now, newSalt, bugs = noBugs } = options
  const { persist, persisted } = options.faults ?? { persist: calmPoint, persisted: calmPoint }
  const unmarked = unmarkedRanges()
  let marking: Promise<void> | undefined

  async function say(emitted: readonly Emitted[], answers: readonly Answer[]): Promise<void> {
    try {
      await announce(options.publisher, emitted, bugs.has('replies-astray') ? answers.map(astray) : answers)
    } catch (cause) {
      throw new PassingFault('the log did not take the records', { cause })
    }
  }

  async function publish(emitted: readonly Emitted[], answers: readonly Answer[]): Promise<void> {
    await say(emitted, answers)
    unmarked.add(rangesOf(emitted))
  }

  async function mark(): Promise<void> {
    const all = unmarked.ranges
    for (let at = 0; at < all.length; at += MARKED_AT_ONCE) {
      const ranges = all.slice(at, at + MARKED_AT_ONCE)
      await store.markPublished(ranges)
      for (const { stream, upTo } of ranges) unmarked.marked(stream, upTo)
    }
  }

  /** One at a time, however often it is asked for while the record is slow. */
  function markPublished(): Promise<void> {
    marking ??= mark().finally(() => {
      marking = undefined
    })
    return marking
  }

  /** Publishes what is not published of `of`, page by page, in order. */
  async function catchUp(of: Unpublished, signal?: AbortSignal): Promise<void> {
    if (bugs.has('sweep-off')) return mark()
    let before: string | undefined
    while (!signal?.aborted) {
      await mark()
      const events = await store.unpublished(of, SWEEP_EVENTS)
      const first = events[0]?.id
      if (first === undefined) return
      if (first === before) throw new PassingFault('the published position does not move on')
      before = first
      await publish(
        events.map((event) => ({ event })),
        [],
      )
    }
  }

  const decided = inGroups(async (commands: readonly Incoming[]) => {
    const began = now()
    const decision = await store.transact(requestOf(commands), (loaded) => {
      const heads = unmarked.heads(loaded.heads)
      const made = decideBatch(commands, { ...loaded, heads }, { now: began, newSalt, bugs })
      if (bugs.has('publish-before-commit')) say(made.emitted, made.answers).catch(() => {})
      return made
    })
    for (const [stream, { publishedSeq }] of decision.heads) unmarked.marked(stream, publishedSeq)
    if (persisted.armed) await persisted.strike(targetsOf(commands))
    const committed = now()
    // Someone committed and did not get to publish: that goes first, so that the log keeps the stream's order.
    for (const [stream, upTo] of decision.behind) await catchUp({ stream, upTo })
    await publish(decision.emitted, decision.answers)
    options.onBatch?.({
      ...countsOf(commands.length, decision),
      transactionMs: committed - began,
      publishMs: now() - committed,
    })
  })

  async function handle(
    records: Parameters<BatchHandler>[0],
    { signal }: Pick<BatchContext, 'signal'>,
  ): Promise<void> {
    const { commands, end } = traced(records.map(decodeCommand))
    try {
      if (signal.aborted) throw new PassingFault('the partition was taken away')
      // Before it goes together with others: what strikes one partition is no matter of theirs.
      if (persist.armed) await persist.strike(targetsOf(commands))
      await decided(commands, signal)
      end()
    } catch (error) {
      end(error)
      throw error
    }
  }

  return {
    handle,
    markPublished,
    sweep: (partition, signal) => catchUp({ partition }, signal),
    async hold({ record }) {
      const held = heldOutcome(record)
      if (!held) return
      const stands = await store.claim(held)
      const origin = originOf(record)
      if (origin.replyTo !== undefined) await publish([], [{ reply: replyOf(stands), origin }])
    },
  }
}

/** A deliberate bug: answers somebody who did not ask. */
const astray = ({ reply, origin }: Answer): Answer => ({ reply, origin: { ...origin, replyTo: 'nobody' } })

const targetsOf = (commands: readonly Incoming[]): FaultTarget[] =>
  commands.map(({ envelope }) => ({ room: envelope.subject, person: envelope.actor }))

/** The stretch of each stream among these events, which are in order within a stream. */
function rangesOf(emitted: readonly Emitted[]): PublishedRange[] {
  const ranges = new Map<string, PublishedRange>()
  for (const { event } of emitted) {
    const { stream, seq } = event
    ranges.set(stream, { stream, from: ranges.get(stream)?.from ?? seq, upTo: seq })
  }
  return [...ranges.values()]
}

function countsOf(commands: number, { outcomes, ended, events }: BatchDecision) {
  const decided = [...outcomes, ...ended]
  const accepted = decided.filter((outcome) => outcome.state === 'accepted').length
  return {
    commands,
    accepted,
    rejected: decided.length - accepted,
    undecided: commands - decided.length,
    events: events.length,
  }
}
