import { pause, type Scheduler } from '@klatsch/streams'
import type { Blocked, ParkedRecord, ParkedStore } from '../src/parking/store.ts'
import { PassingFault } from '../src/policies/fault.ts'
import type { IncomingRecord } from '../src/types.ts'

interface BlockedKeyState {
  readonly why: Blocked
  readonly parked: readonly ParkedRecord[]
}

/** What is in the store: beside positions and parked records, the values applied, by key. */
export interface StoreState {
  readonly positions: ReadonlyMap<string, bigint>
  readonly blocked: ReadonlyMap<string, BlockedKeyState>
  readonly applied: ReadonlyMap<string, readonly string[]>
}

interface Draft extends StoreState {
  readonly positions: Map<string, bigint>
  readonly blocked: Map<string, BlockedKeyState>
  readonly applied: Map<string, readonly string[]>
}
export type MemoryTx = Draft

export interface StoreFaults {
  /** Chance that a commit takes effect and its answer is lost. */
  readonly answerLost?: number
  /** Chance that the store is away. */
  readonly away?: number
}

/** The shared memory behind the stores of all processes. */
export interface StoreMemory {
  state: StoreState
  version: number
  faults: StoreFaults
  ids: number
}

export const storeMemory = (): StoreMemory => ({
  state: { positions: new Map(), blocked: new Map(), applied: new Map() },
  version: 0,
  faults: {},
  ids: 0,
})

const TRIES = 50

/** A store in memory as one process sees it. Each call takes time; of two transactions that overlap, the later one runs again. */
export function memoryParkedStore(
  memory: StoreMemory,
  scheduler: Scheduler,
  random: () => number,
): ParkedStore<MemoryTx> {
  const take = async <T>(value: () => T): Promise<T> => {
    await pause(scheduler, random() * 3)
    if (random() < (memory.faults.away ?? 0)) throw new PassingFault('the store is away')
    return value()
  }
  const nameOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}[${partition}]`

  return {
    async transact(work) {
      for (let tries = 0; tries < TRIES; tries++) {
        const { version, state } = memory
        const draft: Draft = {
          positions: new Map(state.positions),
          blocked: new Map(state.blocked),
          applied: new Map(state.applied),
        }
        const result = await work(draft)
        await take(() => {})
        if (memory.version !== version) continue
        memory.version++
        memory.state = draft
        if (random() < (memory.faults.answerLost ?? 0)) throw new PassingFault('the answer was lost')
        return result
      }
      throw new PassingFault('others were always faster')
    },
    position: (tx, of) => take(() => tx.positions.get(nameOf(of)) ?? 0n),
    advance: (tx, of, next) => take(() => void tx.positions.set(nameOf(of), next)),
    blockedOf: (tx, keys) => take(() => new Set(keys.filter((key) => tx.blocked.has(key)))),
    block: (tx, key, why) =>
      take(() => void tx.blocked.set(key, { why, parked: tx.blocked.get(key)?.parked ?? [] })),
    append: (tx, records) =>
      take(() => {
        for (const record of records) {
          const { why, parked } = tx.blocked.get(record.key)!
          tx.blocked.set(record.key, { why, parked: [...parked, { id: String(++memory.ids), record }] })
        }
      }),
    first: (tx, key, max) => take(() => tx.blocked.get(key)?.parked.slice(0, max) ?? []),
    remove: (tx, key, records) =>
      take(() => {
        const { why, parked } = tx.blocked.get(key)!
        const gone = new Set(records.map(({ id }) => id))
        const left = parked.filter(({ id }) => !gone.has(id))
        if (left.length === 0) tx.blocked.delete(key)
        else tx.blocked.set(key, { why, parked: left })
        return left.length === 0
      }),
    count: (tx) => take(() => [...tx.blocked.values()].reduce((sum, { parked }) => sum + parked.length, 0)),
    keys: () =>
      take(() =>
        [...memory.state.blocked].map(([key, { why, parked }]) => ({
          ...why,
          key,
          records: parked.length,
          next: parked[0]!.record,
        })),
      ),
  }
}

/** Applies values to the state, each behind what its key has. */
export const applyTo = (records: readonly IncomingRecord[], tx: MemoryTx): void => {
  for (const { key, value } of records)
    tx.applied.set(key, [...(tx.applied.get(key) ?? []), value.toString()])
}
