/** Sessions that ended before their time, for as long as an access token of theirs could be about. */
export interface EndedSessions {
  add(session: string): void
  has(session: string): boolean
}

/** `ttlMs`: at least the life of an access token. At more than `max` the oldest are forgotten before that. */
export function endedSessions(options: { ttlMs: number; max: number; now: () => number }): EndedSessions {
  const { ttlMs, max, now } = options
  // In the order in which they ended.
  const ended = new Map<string, number>()
  return {
    add(session) {
      ended.delete(session)
      ended.set(session, now())
      for (const [oldest, at] of ended) {
        if (ended.size <= max && now() - at < ttlMs) return
        ended.delete(oldest)
      }
    },
    has: (session) => ended.has(session),
  }
}
