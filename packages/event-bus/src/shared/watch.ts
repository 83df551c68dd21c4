import type { Scheduler } from '@klatsch/streams'
import type { Log } from '../types.ts'
import type { GroupConnection, LogQueries } from './connection.ts'
import { handlerOf, keyOf, type Owned } from './owned.ts'
import type { StateKeeper } from './state.ts'

const EVERY_MS = 5_000
const STALL_MS = 30_000

export interface WatchPorts {
  readonly queries: LogQueries
  readonly topics: readonly string[]
  readonly keeper: StateKeeper
  readonly scheduler: Scheduler
  readonly log: Log
  readonly connection: () => GroupConnection | undefined
}

/**
 * Every few seconds: where the partitions end, so that the lag is known, and whether something stands still. Fetching
 * that brings nothing though there is something starts over; a handler that does not return is said in the state.
 */
export function watchPartitions(owned: ReadonlyMap<string, Owned>, ports: WatchPorts): { end(): void } {
  const { queries, topics, keeper, scheduler, log } = ports
  let ended = false
  let cancel = scheduler.after(EVERY_MS, turn)

  function turn(): void {
    void learnEnds().then(() => {
      if (ended) return
      lookForStalls()
      cancel = scheduler.after(EVERY_MS, turn)
    })
  }

  async function learnEnds(): Promise<void> {
    try {
      for (const topic of topics) {
        for (const [partition, { end }] of await queries.ranges(topic)) {
          const mine = owned.get(keyOf(topic, partition))
          if (mine && end > mine.end) mine.end = end
        }
      }
    } catch (error) {
      log.debug({ error: String(error) }, 'end offsets not known')
    }
  }

  function lookForStalls(): void {
    const now = scheduler.now()
    const connection = ports.connection()
    let stalled =
      connection && now - connection.lastTurn > STALL_MS ? 'the fetch loop stands still' : undefined
    for (const [key, { worker, paused, fetch, end, movedAt }] of owned) {
      const busyMs = worker.busySince === undefined ? 0 : now - worker.busySince
      const stuck =
        busyMs > STALL_MS ? `the handler has been running for ${Math.round(busyMs / 1_000)} s` : undefined
      keeper.fault(handlerOf(key), stuck)
      if (!paused && end > fetch && now - movedAt > STALL_MS) stalled ??= `nothing comes from ${key}`
    }
    if (stalled === undefined) return
    for (const partition of owned.values()) partition.movedAt = now
    connection?.restart(stalled)
  }

  return {
    end() {
      ended = true
      cancel()
    },
  }
}
