import type { Scheduler } from '@klatsch/streams'
import type { TabLocks } from './browser.ts'

/** Where asking for the lock fails for another reason than being taken: not at once again. */
const AGAIN_MS = 1_000

export interface Election {
  readonly leading: boolean
  /** Leads now, whoever did. */
  claim(): void
  /** Lets another lead, and stands behind those who wait. */
  handOver(): Promise<void>
  stop(): Promise<void>
}

/**
 * One of the tabs leads: whoever holds the lock, which the browser gives to the next when its holder is closed or
 * crashes. `resign` is called for each `lead`, before the lock is let go where it is let go willingly.
 */
export function elect(options: {
  readonly locks: TabLocks
  readonly name: string
  readonly scheduler: Scheduler
  readonly lead: () => void
  readonly resign: () => Promise<void>
}): Election {
  const { locks, name, scheduler, lead, resign } = options
  let current: { granted: boolean; release: () => void; withdraw: () => void } | undefined
  let stopped = false

  function request(steal: boolean): void {
    const waiting = new AbortController()
    const attempt = { granted: false, release: () => {}, withdraw: () => waiting.abort() }
    current = attempt
    const held = () => {
      if (current !== attempt) return undefined
      attempt.granted = true
      const until = new Promise<void>((resolve) => {
        attempt.release = resolve
      })
      lead()
      return until
    }
    const over = () => {
      if (current !== attempt) return
      current = undefined
      // Somebody else took it.
      if (attempt.granted) void resign()
      if (stopped) return
      if (attempt.granted) request(false)
      else scheduler.after(AGAIN_MS, () => !stopped && !current && request(false))
    }
    locks.request(name, steal ? { steal } : { signal: waiting.signal }, held).then(over, over)
  }

  async function leave(): Promise<void> {
    const attempt = current
    current = undefined
    if (!attempt) return
    if (attempt.granted) {
      await resign()
      attempt.release()
    } else attempt.withdraw()
  }

  request(false)
  return {
    get leading() {
      return current?.granted === true
    },
    claim() {
      if (stopped || current?.granted) return
      current?.withdraw()
      request(true)
    },
    async handOver() {
      if (!current?.granted) return
      await leave()
      if (!stopped && !current) request(false)
    },
    async stop() {
      stopped = true
      await leave()
    },
  }
}
