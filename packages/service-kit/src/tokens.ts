import { hash } from 'node:crypto'
import { KlatschError } from '@klatsch/contracts'
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'

export interface AuthenticatedUser {
  readonly id: string
  readonly session: string
  readonly username: string
  readonly displayName: string
  readonly guest: boolean
  readonly admin: boolean
  /** When the token ends, milliseconds since the epoch. */
  readonly expiresAt: number
}

/** @throws KlatschError `auth.invalid_token`, `auth.expired`, or `server.unavailable` when the keys cannot be had. */
export type VerifyToken = (token: string) => Promise<AuthenticatedUser>

const claimsSchema = z.object({
  sub: z.string(),
  sid: z.string(),
  username: z.string(),
  name: z.string(),
  guest: z.boolean().default(false),
  admin: z.boolean().default(false),
  exp: z.number(),
})

/** Tokens known to be good; of more, the one longest unused is checked once more. */
const KNOWN_TOKENS = 20_000

/** The public keys that `chat` shows, fetched when a token names one that is not known. */
export const keysOf = (chatUrl: string): JWTVerifyGetKey =>
  createRemoteJWKSet(new URL('/.well-known/jwks.json', chatUrl), {
    timeoutDuration: 3_000,
    cooldownDuration: 2_000,
  })

/**
 * Verifies access tokens. A signature is checked once, which is most of what a token costs, and its end each time: those
 * who come back all at once are known. `now`: milliseconds since the epoch.
 */
export function tokenVerifier(keys: JWTVerifyGetKey, now: () => number): VerifyToken {
  return knowing(
    async (token) => {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer: 'klatsch',
          audience: 'klatsch',
          algorithms: ['EdDSA', 'Ed25519'],
          currentDate: new Date(now()),
        })
        return userOf(claimsSchema.parse(payload))
      } catch (cause) {
        if (cause instanceof errors.JWTExpired) throw expired(cause)
        const ours =
          cause instanceof z.ZodError ||
          (cause instanceof errors.JOSEError &&
            !['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC'].includes(cause.code))
        if (ours) throw new KlatschError('auth.invalid_token', undefined, { cause })
        throw new KlatschError('server.unavailable', 'tokens cannot be checked at the moment', {
          cause,
          retryAfterMs: 1_000,
        })
      }
    },
    now,
    KNOWN_TOKENS,
  )
}

/** Knows so many tokens again that `check` found to be good, by their hash, until they end. */
export function knowing(check: VerifyToken, now: () => number, max: number): VerifyToken {
  const known = new LRUCache<string, AuthenticatedUser>({ max })
  return async (token) => {
    const key = hash('sha256', token, 'base64')
    const before = known.get(key)
    if (before && now() < before.expiresAt) return before
    known.delete(key)
    if (before) throw expired()
    const user = await check(token)
    known.set(key, user)
    return user
  }
}

const expired = (cause?: unknown) => new KlatschError('auth.expired', undefined, { cause })

const userOf = (claims: z.output<typeof claimsSchema>): AuthenticatedUser => ({
  id: claims.sub,
  session: claims.sid,
  username: claims.username,
  displayName: claims.name,
  guest: claims.guest,
  admin: claims.admin,
  expiresAt: claims.exp * 1_000,
})
