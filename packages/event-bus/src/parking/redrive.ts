import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { AttemptLog } from '../policies/attempt-log.ts'
import { faultOf } from '../policies/fault.ts'
import { originOf } from '../policies/tiers.ts'
import type { DeadLetter, IncomingRecord } from '../types.ts'
import type { Blocked, BlockedKey, ParkedRecord, ParkedStore } from './store.ts'

const PER_SECOND = 500
/** Records of one transaction at most: the key is locked while it lasts. */
const MAX_CHUNK = 100
const BACKOFF_MS = { base: 50, cap: 5_000 }

/** Which parked records. Always from the first of a key on: nothing overtakes within a key. */
export interface Selection {
  /** All blocked keys when left out. */
  readonly keys?: readonly string[]
  /**
   * So many records at most, all keys together, those blocked longest first. Without it a redrive goes on until a key is
   * free, what lines up meanwhile included.
   */
  readonly limit?: number
}

/** What a redrive would do. `take`: so many of the key's records; all of them frees it. */
export interface Plan {
  readonly keys: readonly (BlockedKey & { readonly take: number })[]
  readonly records: number
}

export interface RedriveReport {
  readonly handled: number
  readonly freed: readonly string[]
  /** Keys whose next record failed again; they stay blocked, and what was before it is handled. */
  readonly failed: readonly { readonly key: string; readonly code: string; readonly error: string }[]
  readonly cancelled: boolean
}

export interface RedriveOptions {
  /** Records a second (500). */
  readonly perSecond?: number
  /** Stops it after the transaction under way. */
  readonly signal?: AbortSignal
  /** Called after each transaction. */
  readonly onProgress?: (handled: number) => void
}

export interface Redrive {
  /** The dry run: what `redrive` would do now. Changes nothing. */
  plan(selection?: Selection): Promise<Plan>
  /** Handles parked records in the order of each key. Passing faults are waited out; cancel it to give up. */
  redrive(selection?: Selection, options?: RedriveOptions): Promise<RedriveReport>
}

interface RedrivePorts<Tx> {
  readonly group: string
  readonly store: ParkedStore<Tx>
  readonly handle: (records: readonly IncomingRecord[], tx: Tx) => Promise<void>
  readonly scheduler: Scheduler
  readonly random: () => number
  readonly attempts: AttemptLog | undefined
}

interface Step {
  readonly handled: readonly IncomingRecord[]
  readonly freed: boolean
}

export const reasonOf = ({ error, attempts, firstFailedAt: since }: Omit<DeadLetter, 'record'>): Blocked => ({
  code: faultOf(error).code,
  error: (error instanceof Error ? error.message : String(error)).slice(0, 1_000),
  attempts,
  since,
})

export function redriveOf<Tx>(ports: RedrivePorts<Tx>): Redrive {
  const { store, handle, scheduler, random } = ports

  async function plan({ keys, limit = Number.POSITIVE_INFINITY }: Selection = {}): Promise<Plan> {
    const wanted = keys && new Set(keys)
    let left = limit
    const planned: (BlockedKey & { take: number })[] = []
    for (const blocked of await store.keys()) {
      if (left <= 0 || (wanted && !wanted.has(blocked.key))) continue
      const take = Math.min(left, blocked.records)
      planned.push({ ...blocked, take })
      left -= take
    }
    return { keys: planned, records: planned.reduce((sum, { take }) => sum + take, 0) }
  }

  /**
   * Handles and removes the next records of a key in one transaction. `tried`: those of a call whose outcome is not known;
   * when they are there no more, that call had committed, and is answered for.
   */
  function step(key: string, max: number, tried: { records: readonly ParkedRecord[] }): Promise<Step> {
    return store.transact(async (tx) => {
      const parked = await store.first(tx, key, max)
      const before = tried.records
      if (before[0] && parked[0]?.id !== before[0].id) {
        return { handled: before.map(({ record }) => record), freed: parked.length === 0 }
      }
      tried.records = parked
      if (parked.length === 0) return { handled: [], freed: false }
      const handled = parked.map(({ record }) => record)
      await handle(handled, tx)
      return { handled, freed: await store.remove(tx, key, parked) }
    })
  }

  function tell(key: string, { handled, freed }: Step): void {
    const first = handled[0]
    if (!first || !ports.attempts) return
    const { topic, partition, offset, attempts } = originOf(first)
    ports.attempts.note({
      ...{ kind: 'redriven', time: new Date(scheduler.now()).toISOString(), group: ports.group },
      ...{
        topic,
        partition,
        offset,
        key,
        records: handled.length,
        policy: 'park',
        attempt: attempts + 1,
        freed,
      },
    })
  }

  return {
    plan,
    async redrive(selection = {}, { perSecond = PER_SECOND, signal, onProgress } = {}) {
      const chunk = Math.max(1, Math.min(MAX_CHUNK, Math.floor(perSecond)))
      const freed: string[] = []
      const failed: { key: string; code: string; error: string }[] = []
      let all = 0

      /** Until so many records of the key are through, or one fails again. */
      async function redriveKey({ key, take, attempts, since }: Plan['keys'][number]): Promise<void> {
        let left = take
        let size = chunk
        const tried: { records: readonly ParkedRecord[] } = { records: [] }
        for (let tries = 0; left > 0 && !signal?.aborted; ) {
          try {
            const done = await step(key, Math.min(size, left), tried)
            tried.records = []
            tries = 0
            tell(key, done)
            left -= done.handled.length
            all += done.handled.length
            if (done.freed) freed.push(key)
            if (done.handled.length === 0) return
            onProgress?.(all)
            await pause(scheduler, (done.handled.length * 1_000) / perSecond, signal)
            if (done.freed) return
          } catch (error) {
            const { kind, code } = faultOf(error)
            if (kind === 'passing') {
              const wait = backoffMs(tries++, BACKOFF_MS.base, BACKOFF_MS.cap, random)
              await pause(scheduler, wait, signal)
            } else if (size > 1) size = 1
            else {
              const why = reasonOf({ error, attempts: attempts + 1, firstFailedAt: since })
              await store.transact(async (tx) => {
                if ((await store.blockedOf(tx, [key])).has(key)) await store.block(tx, key, why)
              })
              failed.push({ key, code, error: why.error })
              return
            }
          }
        }
      }

      for (const key of (await plan(selection)).keys) {
        if (signal?.aborted) break
        await redriveKey(selection.limit === undefined ? { ...key, take: Number.POSITIVE_INFINITY } : key)
      }
      return { handled: all, freed, failed, cancelled: signal?.aborted ?? false }
    },
  }
}
