import { KlatschError, type LabJob } from '@klatsch/contracts'
import type { NewRecord } from '../domain/redrive.ts'
import type { Actor } from '../outbound/audit.ts'

/** Jobs that are remembered. */
const KEPT = 100
const TURN_MS = 100

export interface Jobs {
  /** Sends the records one turn after another, in their order. @throws KlatschError `server.overloaded` beside another of its kind */
  start(what: LabJob['what'], records: readonly NewRecord[], perSecond: number, by: Actor): LabJob
  list(): LabJob[]
  /** @throws KlatschError `request.not_found` */
  get(id: string): LabJob
  /** Ends it before the next turn; what is sent stays sent. @throws KlatschError `request.not_found` */
  cancel(id: string): LabJob
  /** Cancels all. */
  close(): void
}

export function jobRunner(options: {
  readonly publisher: { publish(records: readonly NewRecord[]): Promise<void> }
  readonly now: () => number
  readonly newId: () => string
}): Jobs {
  const jobs = new Map<string, { job: LabJob; readonly cancelled: AbortController }>()

  async function run(id: string, records: readonly NewRecord[], perSecond: number): Promise<void> {
    const entry = jobs.get(id)!
    const { signal } = entry.cancelled
    const change = (fields: Partial<LabJob>) => {
      entry.job = { ...entry.job, ...fields }
    }
    const turn = Math.max(1, Math.round((perSecond * TURN_MS) / 1_000))
    const turnMs = Math.max(TURN_MS, 1_000 / perSecond)
    try {
      for (let done = 0; done < records.length; ) {
        const some = records.slice(done, done + turn)
        await options.publisher.publish(some)
        done += some.length
        change({ done })
        if (done < records.length) await pause(turnMs, signal)
      }
      change({ state: 'done' })
    } catch (error) {
      if (signal.aborted) change({ state: 'cancelled' })
      else change({ state: 'failed', reason: error instanceof Error ? error.message : String(error) })
    }
  }

  function entryOf(id: string) {
    const entry = jobs.get(id)
    if (!entry) throw new KlatschError('request.not_found', 'there is no such job')
    return entry
  }

  return {
    start(what, records, perSecond, by) {
      for (const { job } of jobs.values()) {
        if (job.what === what && job.state === 'running') {
          throw new KlatschError('server.overloaded', `another ${what} is running: ${job.id}`)
        }
      }
      for (const [id, { job }] of jobs) if (jobs.size >= KEPT && job.state !== 'running') jobs.delete(id)
      const job: LabJob = {
        id: options.newId(),
        what,
        state: 'running',
        total: records.length,
        done: 0,
        startedAt: new Date(options.now()).toISOString(),
        by: by.actor,
      }
      jobs.set(job.id, { job, cancelled: new AbortController() })
      void run(job.id, records, perSecond)
      return job
    },
    list: () => [...jobs.values()].map(({ job }) => job).reverse(),
    get: (id) => entryOf(id).job,
    cancel(id) {
      const entry = entryOf(id)
      if (entry.job.state === 'running') {
        entry.cancelled.abort()
        entry.job = { ...entry.job, state: 'cancelled' }
      }
      return entry.job
    },
    close() {
      for (const { cancelled } of jobs.values()) cancelled.abort()
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(new Error('cancelled'))
    })
    if (signal.aborted) reject(new Error('cancelled'))
  })
}
