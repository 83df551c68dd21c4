export interface TokenBucket {
  tokens: number
  /** Milliseconds since the epoch at which `tokens` was right. */
  at: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export const fullBucket = (rate: Rate, now: number): TokenBucket => ({ tokens: rate.burst, at: now })

/** Takes one token; answers 0, or after how many milliseconds there will be one. */
export function takeToken(bucket: TokenBucket, rate: Rate, now: number): number {
  bucket.tokens = Math.min(
    rate.burst,
    bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * rate.perSecond,
  )
  bucket.at = now
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1
    return 0
  }
  return Math.ceil(((1 - bucket.tokens) / rate.perSecond) * 1_000)
}
