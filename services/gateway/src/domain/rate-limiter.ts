import { fullBucket, type Rate, type TokenBucket, takeToken } from './token-bucket.ts'

export interface RateLimiter {
  readonly rate: Rate
  /** Takes one of the user's tokens; answers 0, or after how many milliseconds to come again. */
  take(userId: string): number
}

const MANY = 10_000

/** One bucket a user, over all sockets and requests. Buckets long full again are forgotten. */
export function rateLimiter(rate: Rate, now: () => number): RateLimiter {
  const buckets = new Map<string, TokenBucket>()
  const refillMs = (rate.burst / rate.perSecond) * 1_000

  function forgetFull(): void {
    for (const [user, bucket] of buckets) if (now() - bucket.at > refillMs) buckets.delete(user)
  }

  let sweepAt = MANY
  return {
    rate,
    take(userId) {
      let bucket = buckets.get(userId)
      if (!bucket) {
        if (buckets.size >= sweepAt) {
          forgetFull()
          sweepAt = Math.max(MANY, buckets.size * 2)
        }
        bucket = fullBucket(rate, now())
        buckets.set(userId, bucket)
      }
      return takeToken(bucket, rate, now())
    },
  }
}
