import { Problem } from './problem.ts'
import type { Supervised } from './supervisor.ts'

/** Blows to the processes of a stack: each answers the process id; undefined when there is none at the moment. */
export interface Signals {
  /** Sends a signal. A part that ends by it is started again by itself. @throws Problem */
  kill(part: string, signal: NodeJS.Signals): number | undefined
  /**
   * Stops it in its tracks, and lets it go on after `forMs`, whoever asked for it and whatever becomes of them; frozen once
   * more, it sleeps on from then. @throws Problem
   */
  freeze(part: string, forMs: number): number | undefined
  /** Lets it go on at once. @throws Problem */
  wake(part: string): number | undefined
}

/** Longest time for which a part can be frozen. */
export const MAX_FREEZE_MS = 3_600_000

export function signalsTo(parts: ReadonlyMap<string, Supervised>): Signals & { close(): void } {
  const frozen = new Map<string, NodeJS.Timeout>()

  function kill(name: string, signal: NodeJS.Signals): number | undefined {
    const part = parts.get(name)
    if (!part) throw new Problem(`There is no part ${name}. There are: ${[...parts.keys()].join(', ')}.`)
    const { pid } = part
    part.kill(signal)
    return pid
  }

  function wake(name: string): number | undefined {
    clearTimeout(frozen.get(name))
    frozen.delete(name)
    return kill(name, 'SIGCONT')
  }

  return {
    kill,
    freeze(name, forMs) {
      if (!(forMs >= 1 && forMs <= MAX_FREEZE_MS))
        throw new Problem('A part can be frozen for a millisecond at least, and an hour at most.')
      const pid = kill(name, 'SIGSTOP')
      clearTimeout(frozen.get(name))
      frozen.set(name, setTimeout(wake, forMs, name))
      return pid
    },
    wake,
    close() {
      for (const name of [...frozen.keys()]) wake(name)
    },
  }
}
