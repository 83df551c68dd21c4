import { KlatschError, type User } from '@klatsch/contracts'
import { tokenVerifier } from '@klatsch/service-kit'
import { createLocalJWKSet, SignJWT } from 'jose'
import { ACCESS_SECONDS } from '../domain/sessions.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface Caller {
  readonly user: User
  readonly sessionId: string
}

export interface AccessTokens {
  issue(user: User, sessionId: string): Promise<string>
  /** Who a token was given to, whether or not the session goes on. @throws KlatschError `auth.expired`, `auth.invalid_token` */
  read(token: string): Promise<Caller>
  /** @throws KlatschError `auth.expired`, `auth.invalid_token`, `auth.session_ended` */
  verify(token: string): Promise<Caller>
}

const NAME = 'klatsch'

/**
 * Signed tokens (EdDSA) that say who someone is for a quarter of an hour, or until the session ends; anyone can check
 * them by the JWKS, and `isAlive` knows of the session.
 */
export function accessTokens(
  keys: SigningKeys,
  now: () => number,
  isAlive: (sessionId: string) => Promise<boolean>,
): AccessTokens {
  const check = tokenVerifier(createLocalJWKSet({ keys: [...keys.publicJwks] }), now)
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
    read,
    async verify(token) {
      const caller = await read(token)
      if (!(await isAlive(caller.sessionId))) throw new KlatschError('auth.session_ended')
      return caller
    },
  }

  async function read(token: string): Promise<Caller> {
    const { session: sessionId, expiresAt: _end, ...user } = await check(token)
    return { user, sessionId }
  }
}
