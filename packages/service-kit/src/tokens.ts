import { KlatschError } from '@klatsch/contracts'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
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

/** Verifies access tokens with the public keys that `chat` shows. `now`: milliseconds since the epoch. */
export function tokenVerifier(chatUrl: string, now: () => number): VerifyToken {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', chatUrl), {
    timeoutDuration: 3_000,
    cooldownDuration: 2_000,
  })
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: 'klatsch',
        audience: 'klatsch',
        algorithms: ['EdDSA', 'Ed25519'],
        currentDate: new Date(now()),
      })
      const claims = claimsSchema.parse(payload)
      return {
        id: claims.sub,
        session: claims.sid,
        username: claims.username,
        displayName: claims.name,
        guest: claims.guest,
        admin: claims.admin,
        expiresAt: claims.exp * 1_000,
      }
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw new KlatschError('auth.expired', undefined, { cause })
      const ours =
        cause instanceof z.ZodError ||
        (cause instanceof errors.JOSEError && !['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC'].includes(cause.code))
      if (ours) throw new KlatschError('auth.invalid_token', undefined, { cause })
      throw new KlatschError('server.unavailable', 'tokens cannot be checked at the moment', {
        cause,
        retryAfterMs: 1_000,
      })
    }
  }
}
