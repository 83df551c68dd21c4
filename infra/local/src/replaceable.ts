import type { PartState, Supervised } from './supervisor.ts'
import { started } from './supervisor.ts'

/** How a part ends when another takes its place: slower than when everything stops. */
export interface Retirement {
  readonly signal: NodeJS.Signals
  /** Until SIGKILL. */
  readonly withinMs: number
}

export interface Replaceable extends Supervised {
  /**
   * Starts a successor beside it and, once that answers, tells the old one to end, which hands over what it has.
   * Resolves when the old one has ended. Rejects when the successor does not come up; then all is as it was.
   * `ready` is called in between.
   */
  replace(ready?: () => void): Promise<void>
}

/**
 * A part whose process can be replaced. `make` makes one that is not started yet; where two cannot run side by side
 * (`besides` false), the old one ends first.
 */
export function replaceable(
  make: () => Supervised,
  { retirement, besides }: { readonly retirement: Retirement; readonly besides: boolean },
): Replaceable {
  let current = make()
  const all = new Set([current])
  let stopped = false
  let replacing: Promise<void> | undefined

  async function replace(ready: () => void): Promise<void> {
    const old = current
    if (!besides) {
      await old.stop(retirement)
      await old.start()
      ready()
      return
    }
    const next = make()
    all.add(next)
    try {
      await started(next)
    } catch (error) {
      all.delete(next)
      throw error
    }
    current = next
    ready()
    await old.stop(retirement)
    all.delete(old)
  }

  return {
    name: current.name,
    get state(): PartState {
      return current.state
    },
    get pid() {
      return current.pid
    },
    start: () => current.start(),
    ready: () => current.ready(),
    kill: (signal) => current.kill(signal),
    async replace(ready = () => {}) {
      if (stopped) throw new Error(`${current.name} is being stopped`)
      if (replacing) throw new Error(`${current.name} is being replaced already`)
      replacing = replace(ready).finally(() => {
        replacing = undefined
      })
      return replacing
    },
    async stop(how) {
      stopped = true
      await Promise.all([...all].map((each) => each.stop(how)))
    },
  }
}
