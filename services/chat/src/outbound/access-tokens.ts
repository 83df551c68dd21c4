import { KlatschError, type User } from '@klatsch/contracts'
import { createLocalJWKSet, errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { ACCESS_SECONDS } from '../domain/sessions.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface Caller {
  readonly user: User
  readonly sessionId: string
}

export interface AccessTokens {
  issue(user: User, sessionId: string): Promise<string>
  /** @throws KlatschError `auth.expired`, `auth.invalid_token`, `auth.session_ended` */
  verify(token: string): Promise<Caller>
}

const NAME = 'klatsch'

const claimsSchema = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  username: z.string(),
  name: z.string(),
  guest: z.boolean(),
  admin: z.boolean(),
})

/**
 * Signed tokens (EdDSA) that say who someone is for a quarter of an hour, or until the session ends; anyone can check
 * them by the JWKS, and `isAlive` knows of the session.
 */
export function accessTokens(
  keys: SigningKeys,
  now: () => number,
  isAlive: (sessionId: string) => Promise<boolean>,
): AccessTokens {
  const publicKeys = createLocalJWKSet({ keys: [...keys.publicJwks] })
  return {
    async issue(user, sessionId) {
      const { username, displayName: name, guest, admin } = user
      const at = Math.floor(now() / 1_000)
      return new SignJWT({ sid: sessionId, username, name, guest, admin })
        .setProtectedHeader({ alg: 'EdDSA', kid: keys.current.kid, typ: 'JWT' })
        .setSubject(user.id)
        .setIssuer(NAME)
        .setAudience(NAME)
        .setIssuedAt(at)
        .setExpirationTime(at + ACCESS_SECONDS)
        .sign(keys.current.privateKey)
    },
    async verify(token) {
      const caller = await callerIn(token)
      if (!(await isAlive(caller.sessionId))) throw new KlatschError('auth.session_ended')
      return caller
    },
  }

  async function callerIn(token: string): Promise<Caller> {
    try {
      const { payload } = await jwtVerify(token, publicKeys, {
        issuer: NAME,
        audience: NAME,
        algorithms: ['EdDSA'],
        currentDate: new Date(now()),
      })
      const { sub: id, sid: sessionId, name: displayName, ...rest } = claimsSchema.parse(payload)
      return { user: { id, displayName, ...rest }, sessionId }
    } catch (cause) {
      const code = cause instanceof errors.JWTExpired ? 'auth.expired' : 'auth.invalid_token'
      throw new KlatschError(code, undefined, { cause })
    }
  }
}
