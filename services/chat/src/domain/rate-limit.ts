export interface Rate {
  readonly perMinute: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  at: number
}

/** Keys remembered at most; beyond that the longest unseen is forgotten. */
const MAX_KEYS = 50_000

/** A token bucket a key. `take` answers 0, or after how many milliseconds to come again. */
export function rateLimiter(rate: Rate, now: () => number): { take(key: string): number } {
  const buckets = new Map<string, Bucket>()
  return {
    take(key) {
      const time = now()
      const known = buckets.get(key) ?? { tokens: rate.burst, at: time }
      const refilled = known.tokens + (Math.max(0, time - known.at) / 60_000) * rate.perMinute
      const tokens = Math.min(rate.burst, refilled)
      const granted = tokens >= 1
      buckets.delete(key)
      buckets.set(key, { tokens: granted ? tokens - 1 : tokens, at: time })
      const [oldest] = buckets.keys()
      if (buckets.size > MAX_KEYS && oldest !== undefined) buckets.delete(oldest)
      return granted ? 0 : Math.ceil(((1 - tokens) / rate.perMinute) * 60_000)
    },
  }
}
