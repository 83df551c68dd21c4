import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { BatchHandler, ConsumerOptions, IncomingRecord } from '../types.ts'
import { recordQueue } from './queue.ts'
import type { Failed, Retries } from './retries.ts'

/** Between calls that must succeed before the partition goes on. */
const BACKOFF_MS = { base: 50, cap: 5_000 }
/** How often a worker that may not start looks again. */
const GATE_MS = 200

export interface WorkerPorts {
  readonly scheduler: Scheduler
  readonly random: () => number
  /** Whether the partition is surely ours at this moment (heartbeats go through). */
  mayStart(): boolean
  readonly retries: Retries
  /** All records before `next` are dealt with. */
  progress(next: bigint): void
  /** A passing fault, or `undefined` when it is over. */
  fault(error: unknown | undefined): void
  /** The queue shrank. */
  taken(): void
  /** This worker has ended by itself and will not go on. */
  fatal(reason: string): void
}

export interface PartitionWorker {
  readonly signal: AbortSignal
  /** Records and bytes waiting; the batch being handled not counted. */
  readonly queued: { readonly records: number; readonly bytes: number }
  /** Since when one call of the user's code has been running, in scheduler time. */
  readonly busySince: number | undefined
  enqueue(records: readonly IncomingRecord[]): void
  /** Starts nothing more until `resume`; resolves when nothing of the user's code runs. */
  suspend(): Promise<void>
  resume(): void
  /** Aborts the signal and drops the queue; resolves when the running call has ended. */
  stop(): Promise<void>
}

export interface WorkerOptions extends Pick<ConsumerOptions, 'onAssigned' | 'idle'> {
  readonly handler: BatchHandler
  readonly maxBatch: number
  /** Records are handled when they have been in the log for so long. */
  readonly delayMs: number
}

/**
 * Works off one partition: batch after batch, never two calls of the user's code at a time. What follows a failure is up to
 * `retries`. Whoever feeds it bounds its queue by `queued`. `after`: when to begin, for a predecessor to end first.
 */
export function partitionWorker(
  topic: string,
  partition: number,
  options: WorkerOptions,
  ports: WorkerPorts,
  after: Promise<void> = Promise.resolve(),
): PartitionWorker {
  const { scheduler, retries } = ports
  const { handler, maxBatch, delayMs, onAssigned, idle } = options
  const abort = new AbortController()
  const { signal } = abort
  const queue = recordQueue()
  let suspended = false
  let busySince: number | undefined
  const quiet: (() => void)[] = []
  let wake: (() => void) | undefined

  function waitForWake(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const cancel = ms === undefined ? undefined : scheduler.after(ms, () => wake?.())
      wake = () => {
        wake = undefined
        cancel?.()
        resolve()
      }
    })
  }

  /** False: aborted, go no further. */
  async function mayGoOn(): Promise<boolean> {
    while (!signal.aborted && (suspended || !ports.mayStart()))
      await waitForWake(suspended ? undefined : GATE_MS)
    return !signal.aborted
  }

  async function call(work: () => Promise<void>): Promise<void> {
    busySince = scheduler.now()
    try {
      await work()
    } finally {
      busySince = undefined
      for (const done of quiet.splice(0)) done()
    }
  }

  /** Calls until it succeeds; false: aborted before. */
  async function insist(work: () => Promise<void>): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      if (!(await mayGoOn())) return false
      try {
        await call(work)
        ports.fault(undefined)
        return true
      } catch (error) {
        if (signal.aborted) return false
        ports.fault(error)
        await pause(scheduler, backoffMs(attempt, BACKOFF_MS.base, BACKOFF_MS.cap, ports.random), signal)
      }
    }
  }

  /** False: aborted or fatal; the records were not dealt with. */
  async function handle(records: readonly IncomingRecord[], failed?: Failed): Promise<boolean> {
    const trial = retries.begin(records, failed)
    for (;;) {
      if (!(await mayGoOn())) return false
      try {
        await call(() => handler(records, { topic, partition, signal, attempt: trial.attempt }))
        trial.succeeded()
        break
      } catch (error) {
        if (signal.aborted) return false
        const next = trial.failedWith(error)
        if (next.kind === 'again') {
          ports.fault(error)
          await pause(scheduler, next.afterMs, signal)
          continue
        }
        if (next.kind === 'singly') {
          for (const record of records) if (!(await handle([record], next.failed))) return false
          return true
        }
        if (next.kind === 'stop') {
          ports.fatal(next.reason)
          return false
        }
        for (const step of next.steps) if (!(await insist(step))) return false
        next.done()
        break
      }
    }
    ports.fault(undefined)
    ports.progress(BigInt(records.at(-1)!.offset) + 1n)
    return true
  }

  async function run(): Promise<void> {
    await after
    if (onAssigned && !(await insist(() => onAssigned(topic, partition, signal)))) return
    let idleAt = scheduler.now() + (idle?.everyMs ?? Number.POSITIVE_INFINITY)
    while (await mayGoOn()) {
      const untilIdle = idleAt - scheduler.now()
      if (idle && untilIdle <= 0) {
        if (!(await insist(() => idle.run(topic, partition, signal)))) return
        idleAt = scheduler.now() + idle.everyMs
        continue
      }
      const untilDue = queue.first ? queue.first.timestamp + delayMs - scheduler.now() : undefined
      if (untilDue === undefined || (delayMs > 0 && untilDue > 0)) {
        const soonest = Math.min(untilDue ?? Number.POSITIVE_INFINITY, untilIdle)
        await waitForWake(soonest === Number.POSITIVE_INFINITY ? undefined : soonest)
        continue
      }
      const before = scheduler.now() - delayMs
      const records = queue.take(maxBatch, delayMs === 0 ? undefined : ({ timestamp }) => timestamp <= before)
      ports.taken()
      if (!(await handle(records))) return
    }
  }

  const ended = run().catch((error: unknown) =>
    ports.fatal(`the worker of ${topic}[${partition}] broke: ${String(error)}`),
  )

  return {
    signal,
    get queued() {
      return { records: queue.length, bytes: queue.bytes }
    },
    get busySince() {
      return busySince
    },
    enqueue(records) {
      if (signal.aborted) return
      queue.push(records)
      wake?.()
    },
    suspend() {
      suspended = true
      if (busySince === undefined) return Promise.resolve()
      return new Promise((resolve) => quiet.push(resolve))
    },
    resume() {
      suspended = false
      wake?.()
    },
    stop() {
      abort.abort()
      queue.clear()
      wake?.()
      return ended
    },
  }
}
