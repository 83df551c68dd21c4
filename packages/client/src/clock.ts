/** A server's time told once, and how far it can be trusted: by half of the round trip it came with. */
interface Sample {
  readonly offsetMs: number
  readonly errorMs: number
  readonly at: number
}

/** An estimate is replaced by a worse one after so long: clocks drift apart. */
const STALE_MS = 10 * 60_000

export interface ServerClock {
  /** Server minus local, in milliseconds; 0 while nothing is known. */
  readonly offsetMs: number
  readonly heard: (time: string, askedAt: number) => void
}

/**
 * The server's clock as its answers tell: each is taken to have been given in the middle of its round trip. Of several
 * the one with the shortest round trip is kept, until one comes that it cannot be reconciled with (somebody set a clock).
 */
export function serverClock(now: () => number): ServerClock {
  let best: Sample | undefined
  return {
    get offsetMs() {
      return best?.offsetMs ?? 0
    },
    heard(time, askedAt) {
      const at = now()
      const told = Date.parse(time)
      if (Number.isNaN(told) || at < askedAt) return
      const errorMs = (at - askedAt) / 2
      const sample = { offsetMs: told - (askedAt + errorMs), errorMs, at }
      const apart = best && Math.abs(best.offsetMs - sample.offsetMs) > best.errorMs + errorMs + 1
      if (!best || errorMs <= best.errorMs || apart || at - best.at > STALE_MS) best = sample
    },
  }
}
