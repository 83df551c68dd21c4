import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { EachBatchPayload, Consumer as KafkaConsumer, KafkaMessage } from 'kafkajs'
import { deadLetterRecord } from '../shared/dead-letter.ts'
import { stateKeeper } from '../shared/state.ts'
import { type PartitionWorker, partitionWorker } from '../shared/worker.ts'
import type { Consumer, ConsumerOptions, IncomingRecord } from '../types.ts'
import { type AdminHandle, committedOffsets, type OffsetRange, offsetRanges } from './admin.ts'
import type { KafkaSettings } from './client.ts'
import { commits } from './commits.ts'
import { kafkaSession, SESSION_MS, type Session } from './session.ts'

/** Above either, a partition is paused; below half of both it goes on. One fetch may come on top. */
const QUEUE = { records: 2_000, bytes: 8 * 1_048_576 }
/** How long a rebalance waits for running handlers: two such waits must fit into a session. */
const REBALANCE_GRACE_MS = 2_500
const REBALANCE_COMMIT_MS = 1_000
const HANDLER_GRACE_MS = 30_000
const LAST_COMMIT_MS = 5_000
const LOOK_EVERY_MS = 5_000
const STALL_MS = 30_000

export interface ConsumerPorts {
  readonly settings: KafkaSettings
  readonly admin: AdminHandle
  readonly scheduler: Scheduler
  readonly random: () => number
}

/** A partition that is ours. */
interface Owned {
  readonly topic: string
  readonly partition: number
  readonly worker: PartitionWorker
  /** Offset to fetch next. */
  fetch: bigint
  /** Everything before is dealt with. */
  done: bigint
  /** End of the partition as last heard of. */
  end: bigint
  paused: boolean
  /** When `fetch` last moved or fetching was resumed, in scheduler time. */
  movedAt: number
}

const keyOf = (topic: string, partition: number): string => `${topic}[${partition}]`

/**
 * A consumer whose fetch loop only fills queues: one worker a partition empties it, so that no handler holds up
 * another partition, the fetches or the heartbeats. Positions are its own, and set at every join.
 */
export function kafkaConsumer(options: ConsumerOptions, ports: ConsumerPorts): Consumer {
  const { admin, scheduler, settings } = ports
  const { log } = settings
  const { group, topics } = options
  const committing = options.start === 'committed'
  const keeper = stateKeeper(group, scheduler, log)
  const owned = new Map<string, Owned>()
  /** Where we were in partitions that were ours before, and where `start: 'end'` begins. */
  const positions = new Map<string, bigint>()
  /** Workers of lost partitions that are not through yet. */
  const ending = new Map<string, Promise<void>>()
  const closing = new AbortController()
  let closed: Promise<void> | undefined
  let generation = 0
  let heartbeatAt = scheduler.now()
  let looked = false
  let cancelLook: (() => void) | undefined

  let session: Session | undefined
  const committer = commits(() => session?.consumer, scheduler, log)

  async function open(): Promise<void> {
    // Ends are taken before anything else: what is sent after `ready` is after them.
    if (options.start === 'end') await insist('end offsets', takeEnds)
    if (closing.signal.aborted) return
    session = kafkaSession({
      settings,
      group,
      topics,
      scheduler,
      random: ports.random,
      beforeJoin,
      joined,
      batch,
      skipped: (topic, partition, next) => {
        const mine = owned.get(keyOf(topic, partition))
        if (mine && next > mine.fetch) mine.fetch = next
      },
      heartbeat: () => {
        heartbeatAt = scheduler.now()
      },
      fault: (error) => keeper.fault('connection', error),
      fatal: stop,
    })
  }

  async function takeEnds(): Promise<void> {
    for (const topic of topics) {
      for (const [partition, { end }] of await offsetRanges(admin, topic))
        positions.set(keyOf(topic, partition), end)
    }
  }

  /** Repeats with backoff until it succeeds or nobody needs it any more. */
  async function insist(
    what: string,
    work: () => Promise<void>,
    needed: () => boolean = () => true,
  ): Promise<void> {
    for (let attempt = 0; needed() && !closing.signal.aborted; attempt++) {
      try {
        await work()
        keeper.fault(what, undefined)
        return
      } catch (error) {
        keeper.fault(what, error)
        await pause(scheduler, backoffMs(attempt, 100, 3_000, ports.random), closing.signal)
      }
    }
  }

  function stop(reason: string): void {
    keeper.stop(reason)
    void close()
  }

  async function beforeJoin(): Promise<void> {
    if (closing.signal.aborted || owned.size === 0) return
    generation++
    const quiet = Promise.all([...owned.values()].map(({ worker }) => worker.suspend()))
    const late = new AbortController()
    await Promise.race([quiet, pause(scheduler, REBALANCE_GRACE_MS, late.signal)])
    late.abort()
    if (committing) await committer.flush(REBALANCE_COMMIT_MS)
  }

  function joined(consumer: KafkaConsumer, assignment: Readonly<Record<string, readonly number[]>>): void {
    const mine = ++generation
    const wanted = Object.entries(assignment).flatMap(([topic, list]) =>
      list.map((partition) => ({ topic, partition })),
    )
    const kept = new Set(wanted.map(({ topic, partition }) => keyOf(topic, partition)))
    for (const [key, partition] of owned) {
      if (!kept.has(key)) lose(key, partition)
    }
    consumer.pause(Object.entries(assignment).map(([topic, list]) => ({ topic, partitions: [...list] })))
    const settle = async () => {
      const from = committing ? await committedPositions(Object.keys(assignment)) : undefined
      if (mine !== generation || closing.signal.aborted) return
      for (const { topic, partition } of wanted) {
        if (!place(topic, partition, from?.get(keyOf(topic, partition)))) return
      }
      for (const partition of owned.values()) {
        partition.movedAt = scheduler.now()
        consumer.seek({
          topic: partition.topic,
          partition: partition.partition,
          offset: String(partition.fetch),
        })
        partition.paused = false
        if (!overfull(partition)) resume(consumer, partition)
        else partition.paused = true
        partition.worker.resume()
      }
      keeper.assigned(owned.size)
      log.info({ group, partitions: owned.size }, 'partitions assigned')
      look()
    }
    void insist('positions', settle, () => mine === generation)
  }

  async function committedPositions(
    names: readonly string[],
  ): Promise<Map<string, OffsetRange & { at?: bigint }>> {
    const found = new Map<string, OffsetRange & { at?: bigint }>()
    for (const topic of names) {
      const [ranges, marks] = await Promise.all([
        offsetRanges(admin, topic),
        committedOffsets(admin, group, topic),
      ])
      for (const [partition, range] of ranges) {
        const at = marks.get(partition)
        found.set(keyOf(topic, partition), at === undefined ? range : { ...range, at })
      }
    }
    return found
  }

  /** Makes the partition ours, or keeps it, at the right position. False: there is none, and the consumer stopped. */
  function place(
    topic: string,
    partition: number,
    from: (OffsetRange & { at?: bigint }) | undefined,
  ): boolean {
    const key = keyOf(topic, partition)
    if (from?.at !== undefined && (from.at < from.begin || from.at > from.end)) {
      stop(
        `the committed offset ${from.at} of group ${group} in ${key} is out of range ${from.begin}..${from.end}: ` +
          'records were lost or the topic was made anew',
      )
      return false
    }
    const held = owned.get(key)
    if (held && (from?.at === undefined || from.at <= held.done)) return true
    if (held) lose(key, held)
    const before = positions.get(key)
    const start = later(from?.at ?? from?.begin, before) ?? 0n
    take(topic, partition, start, from?.end ?? start)
    return true
  }

  function take(topic: string, partition: number, start: bigint, end: bigint): void {
    const key = keyOf(topic, partition)
    const { deadLetters } = options
    const worker = partitionWorker(
      topic,
      partition,
      options,
      {
        scheduler,
        random: ports.random,
        mayStart: () => scheduler.now() - heartbeatAt < SESSION_MS,
        bury: deadLetters
          ? async (letter) =>
              deadLetters.publish([deadLetterRecord(group, letter, new Date(scheduler.now()))])
          : undefined,
        progress: (next) => {
          const mine = owned.get(key)
          if (mine?.worker !== worker) return
          mine.done = next
          if (committing) committer.mark(topic, partition, next)
        },
        fault: (error) => {
          if (owned.get(key)?.worker === worker) keeper.fault(key, error)
        },
        taken: () => {
          const mine = owned.get(key)
          const consumer = session?.consumer
          if (mine?.worker === worker && mine.paused && halfEmpty(mine) && consumer) resume(consumer, mine)
        },
        fatal: stop,
      },
      ending.get(key),
    )
    owned.set(key, {
      topic,
      partition,
      worker,
      fetch: start,
      done: start,
      end,
      paused: false,
      movedAt: scheduler.now(),
    })
    void worker.suspend()
  }

  function lose(key: string, partition: Owned): void {
    owned.delete(key)
    positions.set(key, partition.done)
    committer.forget(partition.topic, partition.partition)
    keeper.fault(key, undefined)
    const ended = partition.worker.stop().then(() => {
      if (ending.get(key) === ended) ending.delete(key)
    })
    ending.set(key, ended)
  }

  function resume(consumer: KafkaConsumer, partition: Owned): void {
    partition.paused = false
    partition.movedAt = scheduler.now()
    consumer.resume([{ topic: partition.topic, partitions: [partition.partition] }])
  }

  function batch({ batch: fetched, resolveOffset, isStale, pause: pausePartition }: EachBatchPayload): void {
    const mine = owned.get(keyOf(fetched.topic, fetched.partition))
    if (!mine || mine.paused || isStale() || closing.signal.aborted) return
    const records: IncomingRecord[] = []
    for (const message of fetched.messages) {
      if (records.length === 0 && BigInt(message.offset) < mine.fetch) continue
      records.push(recordOf(mine, message))
    }
    resolveOffset(fetched.lastOffset())
    mine.fetch = BigInt(fetched.lastOffset()) + 1n
    mine.end = BigInt(fetched.highWatermark)
    mine.movedAt = scheduler.now()
    mine.worker.enqueue(records)
    if (overfull(mine)) {
      mine.paused = true
      pausePartition()
    }
  }

  /** Every few seconds: how far behind, and whether it stands still though there is something to fetch. */
  function look(): void {
    if (looked) return
    looked = true
    const turn = async () => {
      try {
        for (const topic of topics) {
          for (const [partition, { end }] of await offsetRanges(admin, topic)) {
            const mine = owned.get(keyOf(topic, partition))
            if (mine && end > mine.end) mine.end = end
          }
        }
      } catch (error) {
        log.debug({ group, error: String(error) }, 'end offsets not known')
      }
      const now = scheduler.now()
      for (const [key, { worker, paused, fetch, end, movedAt }] of owned) {
        if (worker.busySince !== undefined && now - worker.busySince > STALL_MS) {
          keeper.fault(
            `${key} handler`,
            `has been running for ${Math.round((now - worker.busySince) / 1000)} s`,
          )
        } else keeper.fault(`${key} handler`, undefined)
        if (!paused && end > fetch && now - movedAt > STALL_MS) {
          session?.restart(`nothing came from ${key} for ${STALL_MS} ms though there is something`)
          break
        }
      }
      if (session && now - session.lastTurn > STALL_MS) session.restart('the fetch loop stands still')
      if (!closing.signal.aborted) schedule()
    }
    const schedule = () => {
      cancelLook = scheduler.after(LOOK_EVERY_MS, () => void turn())
    }
    schedule()
  }

  function close(): Promise<void> {
    closed ??= (async () => {
      closing.abort()
      cancelLook?.()
      const consumer = session?.consumer
      for (const { topic, partition } of owned.values()) {
        try {
          consumer?.pause([{ topic, partitions: [partition] }])
        } catch {
          // Not running any more: nothing is fetched then.
        }
      }
      const workers = [...owned.values()].map(({ worker }) => worker.stop())
      const late = new AbortController()
      await Promise.race([
        Promise.all([...workers, ...ending.values()]),
        pause(scheduler, HANDLER_GRACE_MS, late.signal),
      ])
      late.abort()
      if (committing) await committer.flush(LAST_COMMIT_MS)
      committer.close()
      await session?.close()
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
      if (!looked) return undefined
      let sum = 0n
      for (const { done, end } of owned.values()) if (end > done) sum += end - done
      return Number(sum)
    },
    close,
  }
}

const later = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined ? b : b === undefined || a > b ? a : b

const overfull = ({ worker }: Owned): boolean =>
  worker.queued.records >= QUEUE.records || worker.queued.bytes >= QUEUE.bytes

const halfEmpty = ({ worker }: Owned): boolean =>
  worker.queued.records < QUEUE.records / 2 && worker.queued.bytes < QUEUE.bytes / 2

function recordOf({ topic, partition }: Owned, message: KafkaMessage): IncomingRecord {
  const headers: Record<string, string> = {}
  for (const name in message.headers) {
    const value = message.headers[name]
    if (value !== undefined) headers[name] = String(Array.isArray(value) ? value.at(-1) : value)
  }
  return {
    topic,
    partition,
    offset: message.offset,
    key: message.key === null ? '' : message.key.toString(),
    value: message.value ?? NO_BYTES,
    headers,
    timestamp: Number(message.timestamp),
  }
}

const NO_BYTES = Buffer.alloc(0)
