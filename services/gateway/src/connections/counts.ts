/** What the delivery engine counts, for `/metrics` and `/api/audit`. */
export interface FeedCounts {
  /** Events handed to sockets. */
  delivered: number
  /** Heads of streams compared with Postgres. */
  headsCompared: number
  /** Positions of clients compared with what is known here. */
  checked: number
  /** Comparisons of either kind that found another history. */
  diverged: number
  /** Streams fetched again because something was missing or not the same. */
  healed: number
  /** Subscriptions sent back to a fresh page. */
  resets: number
  digests: number
  /** Passing events (digests, presence, typing) that a crowded socket was not sent at the time. */
  passingDropped: number
}

export const noCounts = (): FeedCounts => ({
  delivered: 0,
  headsCompared: 0,
  checked: 0,
  diverged: 0,
  healed: 0,
  resets: 0,
  digests: 0,
  passingDropped: 0,
})
