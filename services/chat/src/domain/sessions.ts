import type { ErrorCode } from '@klatsch/contracts'

/** Seconds an access token is good for. */
export const ACCESS_SECONDS = 15 * 60

const DAY_MS = 86_400_000
/** How long a session lasts after it was last refreshed. A guest's name is free again when its sessions are over. */
export const sessionMs = (guest: boolean): number => (guest ? 1 : 30) * DAY_MS

/** How long the answer to an exchange may be asked for again. */
const REPEAT_MS = 60_000

export interface RefreshToken {
  readonly usedAt: Date | null
  /** The Idempotency-Key under which it was exchanged. */
  readonly exchangeKey: string | null
  /** Whether the token it was exchanged for was used in its turn; meaningless before. */
  readonly successorUsed: boolean
}

export interface SessionState {
  readonly expiresAt: Date
  readonly revokedAt: Date | null
}

export type RefreshDecision =
  /** The first use: give the next token. */
  | { readonly kind: 'exchange' }
  /** Whoever exchanged it did not get the answer: give another next token in the place of the one nobody has. */
  | { readonly kind: 'repeat' }
  | { readonly kind: 'refuse'; readonly code: ErrorCode; readonly revoke: boolean }

/**
 * A refresh token is good once. Used again, it is in two hands, and nobody can say which is the thief's: the whole
 * session ends. A repetition under the key of the first request is no second use, for only its sender knows the key.
 */
export function decideRefresh(
  token: RefreshToken,
  session: SessionState,
  key: string | undefined,
  now: Date,
): RefreshDecision {
  if (token.usedAt !== null) {
    const young = now.getTime() - token.usedAt.getTime() < REPEAT_MS
    const sameRequest = key !== undefined && key === token.exchangeKey
    if (young && sameRequest && !token.successorUsed && session.revokedAt === null) return { kind: 'repeat' }
    return { kind: 'refuse', code: 'auth.refresh_reused', revoke: true }
  }
  if (session.revokedAt !== null) return { kind: 'refuse', code: 'auth.invalid_token', revoke: false }
  if (session.expiresAt <= now) return { kind: 'refuse', code: 'auth.expired', revoke: false }
  return { kind: 'exchange' }
}
