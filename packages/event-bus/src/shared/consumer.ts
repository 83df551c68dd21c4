import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import { isSwitch, usualPolicy } from '../policies/policy.ts'
import type { Consumer, ConsumerOptions, Log } from '../types.ts'
import { commits } from './commits.ts'
import type { Fetched, GroupConnection, GroupEvents, LogQueries, OffsetRange } from './connection.ts'
import { halfEmpty, handlerOf, keyOf, type Owned, overfull } from './owned.ts'
import { retries } from './retries.ts'
import { stateKeeper } from './state.ts'
import { watchPartitions } from './watch.ts'
import { partitionWorker } from './worker.ts'

/** Silence of the coordinator after which it may have given our partitions to others. */
export const SESSION_MS = 6_000
/** Silence after which no new batch is begun: before the others may. */
const LEASE_MS = SESSION_MS - 500
/** How long a rebalance waits for running handlers and then for the commit: both fit into a session. */
const REBALANCE_GRACE_MS = 2_500
const REBALANCE_COMMIT_MS = 1_000
const HANDLER_GRACE_MS = 30_000
const LAST_COMMIT_MS = 5_000

export interface ConsumerPorts {
  readonly queries: LogQueries
  readonly connect: (events: GroupEvents, topics: readonly string[]) => GroupConnection
  readonly scheduler: Scheduler
  readonly random: () => number
  readonly log: Log
}

interface From extends OffsetRange {
  readonly committed?: bigint
}

/**
 * A consumer over any log: what is fetched goes into queues, one worker a partition empties them, so that no handler
 * holds up another partition, the fetches or the heartbeats. Positions are its own, and set at every join.
 */
export function groupConsumer(options: ConsumerOptions, ports: ConsumerPorts): Consumer {
  const { queries, scheduler, log } = ports
  const { group, tiers = [] } = options
  checkPolicy(options)
  const topics = [...options.topics, ...tiers.map(({ topic }) => topic)]
  const committing = options.start === 'committed'
  const keeper = stateKeeper(group, scheduler, log)
  const owned = new Map<string, Owned>()
  /** Where we were in partitions that were ours before, and where `start: 'end'` begins. */
  const positions = new Map<string, bigint>()
  /** Workers of lost partitions that are not through yet. */
  const ending = new Map<string, Promise<void>>()
  const failures = retries(options, scheduler, ports.random)
  const closing = new AbortController()
  let closed: Promise<void> | undefined
  let connection: GroupConnection | undefined
  /** Counts joins, so that what was begun under an earlier one lets go. */
  let generation = 0
  let heartbeatAt = scheduler.now()
  let watch: { end(): void } | undefined

  const committer = commits(
    async (marked) => {
      if (!connection) throw new Error('not connected')
      await connection.commit(marked)
    },
    scheduler,
    log,
  )

  async function open(): Promise<void> {
    // Ends are taken before anything else: what is sent after `ready` is after them.
    if (!committing) await insist('end offsets', takeEnds)
    if (closing.signal.aborted) return
    const events: GroupEvents = {
      beforeJoin,
      joined,
      fetched,
      lost: () => {
        for (const { worker } of owned.values()) void worker.suspend()
      },
      heartbeat: () => {
        heartbeatAt = scheduler.now()
      },
      fault: (error) => keeper.fault('connection', error),
      fatal: stop,
    }
    connection = ports.connect(events, topics)
  }

  async function takeEnds(): Promise<void> {
    const ranges = await Promise.all(topics.map((topic) => queries.ranges(topic)))
    for (const [index, topic] of topics.entries()) {
      for (const [partition, { end }] of ranges[index]!) positions.set(keyOf(topic, partition), end)
    }
  }

  /** Repeats with backoff until it succeeds or nobody needs it any more. */
  async function insist(what: string, work: () => Promise<void>, needed = () => true): Promise<void> {
    for (let attempt = 0; needed() && !closing.signal.aborted; attempt++) {
      try {
        await work()
        break
      } catch (error) {
        keeper.fault(what, error)
        await pause(scheduler, backoffMs(attempt, 100, 3_000, ports.random), closing.signal)
      }
    }
    keeper.fault(what, undefined)
  }

  function stop(reason: string): void {
    keeper.stop(reason)
    void close()
  }

  async function beforeJoin(): Promise<void> {
    generation++
    if (closing.signal.aborted || owned.size === 0) return
    const quiet = Promise.all([...owned.values()].map(({ worker }) => worker.suspend()))
    const late = new AbortController()
    await Promise.race([quiet, pause(scheduler, REBALANCE_GRACE_MS, late.signal)])
    late.abort()
    if (committing) await committer.flush(REBALANCE_COMMIT_MS)
  }

  function joined(assignment: Readonly<Record<string, readonly number[]>>): void {
    const mine = ++generation
    heartbeatAt = scheduler.now()
    committer.forget()
    const wanted = Object.entries(assignment).flatMap(([topic, list]) =>
      list.map((partition) => ({ topic, partition, key: keyOf(topic, partition) })),
    )
    const kept = new Set(wanted.map(({ key }) => key))
    for (const [key, partition] of owned) {
      partition.paused = true
      partition.placed = false
      if (!kept.has(key)) lose(key, partition)
    }
    const settle = async () => {
      const from = committing ? await committedPositions(Object.keys(assignment)) : undefined
      if (mine !== generation || closing.signal.aborted) return
      for (const { topic, partition, key } of wanted) {
        if (committing && !from?.has(key)) throw new Error(`the offsets of ${key} are not known yet`)
        if (!place(topic, partition, from?.get(key))) return
      }
      for (const partition of owned.values()) {
        connection?.fetchFrom({
          topic: partition.topic,
          partition: partition.partition,
          offset: partition.fetch,
        })
        if (!overfull(partition)) resume(partition)
        partition.worker.resume()
      }
      keeper.assigned(owned.size)
      log.info({ group, partitions: owned.size }, 'partitions assigned')
      watch ??= watchPartitions(owned, {
        queries,
        topics,
        keeper,
        scheduler,
        log,
        connection: () => connection,
      })
    }
    void insist('positions', settle, () => mine === generation)
  }

  async function committedPositions(names: readonly string[]): Promise<Map<string, From>> {
    const found = new Map<string, From>()
    for (const topic of names) {
      const [ranges, marks] = await Promise.all([queries.ranges(topic), queries.committed(group, topic)])
      for (const [partition, range] of ranges) {
        const committed = marks.get(partition)
        found.set(keyOf(topic, partition), committed === undefined ? range : { ...range, committed })
      }
    }
    return found
  }

  /** Makes the partition ours, or keeps it, at the right position. False: there is none, and the consumer stopped. */
  function place(topic: string, partition: number, from: From | undefined): boolean {
    const key = keyOf(topic, partition)
    if (from?.committed !== undefined && (from.committed < from.begin || from.committed > from.end)) {
      stop(
        `the committed offset ${from.committed} of group ${group} in ${key} is out of range ` +
          `${from.begin}..${from.end}: records were lost or the topic was made anew`,
      )
      return false
    }
    const held = owned.get(key)
    const keep = held && (from?.committed === undefined || from.committed <= held.done)
    if (held && !keep) lose(key, held)
    if (!keep) {
      const start = later(from?.committed ?? from?.begin, positions.get(key)) ?? 0n
      take(topic, partition, start, from?.end ?? start)
    }
    const mine = owned.get(key)!
    mine.placed = true
    // What was done under an earlier generation may not have been committed.
    if (committing && mine.done > (from?.committed ?? from?.begin ?? 0n)) {
      committer.mark({ topic, partition, offset: mine.done })
    }
    return true
  }

  function take(topic: string, partition: number, start: bigint, end: bigint): void {
    const key = keyOf(topic, partition)
    const delayMs = tiers.find((tier) => tier.topic === topic)?.delayMs ?? 0
    const { handler, onAssigned, idle, maxBatch = 500 } = options
    // What is done for a partition is done for one of the topics proper.
    const chores = delayMs > 0 ? {} : { ...(onAssigned && { onAssigned }), ...(idle && { idle }) }
    /** Undefined once the partition was lost: what its worker says then counts no more. */
    const current = (): Owned | undefined => {
      const mine = owned.get(key)
      return mine?.worker === worker ? mine : undefined
    }
    const worker = partitionWorker(
      topic,
      partition,
      { handler, maxBatch, delayMs, ...chores },
      {
        scheduler,
        random: ports.random,
        mayStart: () => scheduler.now() - heartbeatAt < LEASE_MS,
        retries: failures,
        progress: (next) => {
          const mine = current()
          if (!mine || next <= mine.done) return
          mine.done = next
          if (committing && mine.placed) committer.mark({ topic, partition, offset: next })
        },
        fault: (error) => {
          if (current()) keeper.fault(key, error)
        },
        taken: () => {
          const mine = current()
          if (mine?.paused && halfEmpty(mine)) resume(mine)
        },
        fatal: stop,
      },
      ending.get(key),
    )
    void worker.suspend()
    owned.set(key, {
      topic,
      partition,
      worker,
      fetch: start,
      done: start,
      end,
      paused: true,
      placed: false,
      movedAt: scheduler.now(),
    })
  }

  function lose(key: string, partition: Owned): void {
    owned.delete(key)
    positions.set(key, partition.done)
    keeper.fault(key, undefined)
    keeper.fault(handlerOf(key), undefined)
    const ended = partition.worker.stop().then(() => {
      if (ending.get(key) === ended) ending.delete(key)
    })
    ending.set(key, ended)
  }

  function resume(partition: Owned): void {
    partition.paused = false
    partition.movedAt = scheduler.now()
    connection?.resume(partition.topic, partition.partition)
  }

  function fetched({ topic, partition, records, next, end }: Fetched): 'taken' | 'full' | 'refused' {
    const mine = owned.get(keyOf(topic, partition))
    if (!mine || mine.paused || closing.signal.aborted) return 'refused'
    let first = 0
    while (first < records.length && BigInt(records[first]!.offset) < mine.fetch) first++
    if (next > mine.fetch) mine.fetch = next
    if (end > mine.end) mine.end = end
    mine.movedAt = scheduler.now()
    mine.worker.enqueue(first === 0 ? records : records.slice(first))
    if (!overfull(mine)) return 'taken'
    mine.paused = true
    return 'full'
  }

  function close(): Promise<void> {
    closed ??= (async () => {
      closing.abort()
      watch?.end()
      for (const { topic, partition } of owned.values()) connection?.pause(topic, partition)
      const workers = [...owned.values()].map(({ worker }) => worker.stop())
      const late = new AbortController()
      const grace = pause(scheduler, HANDLER_GRACE_MS, late.signal)
      await Promise.race([Promise.all([...workers, ...ending.values()]), grace])
      late.abort()
      if (committing) await committer.flush(LAST_COMMIT_MS)
      committer.close()
      await connection?.close()
      keeper.closed()
    })()
    return closed
  }

  void open()

  return {
    ready: keeper.ready,
    get state() {
      return keeper.state
    },
    get lag() {
      if (!watch) return undefined
      let sum = 0n
      for (const { done, end } of owned.values()) if (end > done) sum += end - done
      return Number(sum)
    },
    close,
  }
}

/** @throws Error where the consumer has not what its policy, or one it may be switched to, needs. */
function checkPolicy({
  policy = usualPolicy,
  tiers = [],
  parking,
  deadLetters,
  start,
}: ConsumerOptions): void {
  const kinds = isSwitch(policy) ? policy.allowed : [policy.kind]
  if (kinds.includes('park') && !parking) throw new Error('the policy park needs a parking space')
  if (kinds.includes('skip') && !deadLetters) throw new Error('the policy skip needs dead letters')
  if (kinds.includes('tiers') && !(tiers.length > 0 && deadLetters)) {
    throw new Error('the policy tiers needs delay topics and dead letters')
  }
  // Whoever commits nothing would find nothing of its own in the delay topics.
  if (tiers.length > 0 && start !== 'committed') throw new Error('delay topics need committed positions')
}

const later = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined ? b : b === undefined || a > b ? a : b
