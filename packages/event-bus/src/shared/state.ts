import type { Scheduler } from '@klatsch/streams'
import type { ConsumerState, Log } from '../types.ts'

/** The state of a consumer, put together from the faults of its partitions and of its connection. */
export interface StateKeeper {
  readonly state: ConsumerState
  /** Resolves at the first assignment, rejects when stopped before. */
  readonly ready: Promise<void>
  assigned(partitions: number): void
  /** A passing fault of `part`, or, without an error, its end. Cheap when nothing changes. */
  fault(part: string, error: unknown | undefined): void
  /** For good. The first reason stays. */
  stop(reason: string): void
  /** On purpose. */
  closed(): void
}

export function stateKeeper(group: string, scheduler: Scheduler, log: Log): StateKeeper {
  const faults = new Map<string, { since: Date; reason: string }>()
  let assigned: number | undefined
  let stopped: string | undefined
  const ready = Promise.withResolvers<void>()
  // Whoever does not wait for it learns of it by the state.
  ready.promise.catch(() => {})

  return {
    ready: ready.promise,
    get state(): ConsumerState {
      if (stopped !== undefined) return { kind: 'stopped', reason: stopped }
      const first = faults.values().next().value
      if (first) return { kind: 'struggling', ...first }
      return assigned === undefined ? { kind: 'starting' } : { kind: 'running', assigned }
    },
    assigned(partitions) {
      assigned = partitions
      ready.resolve()
    },
    fault(part, error) {
      const before = faults.get(part)
      if (error === undefined) {
        if (!before) return
        faults.delete(part)
        log.info({ group, part, forMs: scheduler.now() - before.since.getTime() }, 'over a fault')
        return
      }
      const reason = `${part}: ${error instanceof Error ? error.message : String(error)}`
      if (before) before.reason = reason
      else {
        faults.set(part, { since: new Date(scheduler.now()), reason })
        log.warn({ group, part, err: error }, 'a fault; trying on')
      }
    },
    stop(reason) {
      if (stopped !== undefined) return
      stopped = reason
      log.error({ group, reason }, 'consumer stopped')
      ready.reject(new Error(reason))
    },
    closed() {
      stopped ??= 'closed'
      ready.reject(new Error('the consumer was closed'))
    },
  }
}
