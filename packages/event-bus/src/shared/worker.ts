import { KlatschError } from '@klatsch/contracts'
import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { BatchContext, ConsumerOptions, DeadLetter, IncomingRecord } from '../types.ts'
import { PassingFault } from '../types.ts'
import { recordQueue } from './queue.ts'

const BACKOFF_MS = { base: 50, cap: 5_000 }
/** How often a worker that may not start looks again. */
const GATE_MS = 200

export interface WorkerPorts {
  readonly scheduler: Scheduler
  readonly random: () => number
  /** Whether the partition is surely ours at this moment (heartbeats go through). */
  mayStart(): boolean
  /** Appends to the dead letters; may throw, and is then called again. Absent: such a record is fatal. */
  readonly bury?: ((letter: DeadLetter) => Promise<void>) | undefined
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

/** Publishing that was refused for now heals by itself too. */
const isPassing = (error: unknown): boolean =>
  error instanceof PassingFault ||
  (error instanceof KlatschError &&
    (error.code === 'server.overloaded' || error.code === 'server.unavailable'))

/**
 * Works off one partition: batch after batch, never two calls of the user's code at a time, with retry policy
 * `block`. Whoever feeds it bounds its queue by `queued`. `after`: when to begin, for a predecessor to end first.
 */
export function partitionWorker(
  topic: string,
  partition: number,
  options: Pick<ConsumerOptions, 'handler' | 'maxBatch' | 'onAssigned' | 'idle' | 'onDeadLetter'>,
  ports: WorkerPorts,
  after: Promise<void> = Promise.resolve(),
): PartitionWorker {
  const { scheduler } = ports
  const { handler, onAssigned, idle } = options
  const maxBatch = options.maxBatch ?? 500
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
  async function handle(records: IncomingRecord[], triedBefore: number, failedAt?: Date): Promise<boolean> {
    let firstFailedAt = failedAt
    for (let attempt = triedBefore + 1; ; attempt++) {
      if (!(await mayGoOn())) return false
      const context: BatchContext = { topic, partition, signal, attempt }
      try {
        await call(() => handler(records, context))
        break
      } catch (error) {
        if (signal.aborted) return false
        firstFailedAt ??= new Date(scheduler.now())
        if (isPassing(error)) {
          ports.fault(error)
          const tries = attempt - triedBefore - 1
          await pause(scheduler, backoffMs(tries, BACKOFF_MS.base, BACKOFF_MS.cap, ports.random), signal)
          continue
        }
        if (records.length > 1) {
          for (const record of records) {
            if (!(await handle([record], attempt, firstFailedAt))) return false
          }
          return true
        }
        const letter: DeadLetter = { record: records[0]!, error, attempts: attempt, firstFailedAt }
        if (!(await giveUpOn(letter))) return false
        break
      }
    }
    ports.fault(undefined)
    ports.progress(BigInt(records.at(-1)!.offset) + 1n)
    return true
  }

  async function giveUpOn(letter: DeadLetter): Promise<boolean> {
    const { bury } = ports
    if (!bury) {
      const { record, error } = letter
      ports.fatal(
        `record ${topic}[${partition}]@${record.offset} failed and has nowhere to go: ${String(error)}`,
      )
      return false
    }
    if (options.onDeadLetter && !(await insist(() => options.onDeadLetter!(letter)))) return false
    return insist(() => bury(letter))
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
      if (queue.length === 0) {
        await waitForWake(idle ? untilIdle : undefined)
        continue
      }
      const records = queue.take(maxBatch)
      ports.taken()
      if (!(await handle(records, 0))) return
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
