import { KlatschError } from '@klatsch/contracts'
import { bearerOf, sameSecret } from '@klatsch/service-kit'
import type { FastifyRequest } from 'fastify'
import type { AccessTokens, Caller } from '../../outbound/access-tokens.ts'

/** @throws KlatschError `auth.required`, `auth.expired`, `auth.invalid_token`, `auth.session_ended` */
export async function callerOf(tokens: AccessTokens, request: FastifyRequest): Promise<Caller> {
  return tokens.verify(tokenOf(request))
}

/** As `callerOf`, where the session is asked for together with what is read. @throws KlatschError `auth.required`, `auth.expired`, `auth.invalid_token` */
export async function signedCallerOf(tokens: AccessTokens, request: FastifyRequest): Promise<Caller> {
  return tokens.read(tokenOf(request))
}

function tokenOf(request: FastifyRequest): string {
  const token = bearerOf(request.headers.authorization)
  if (token === undefined) throw new KlatschError('auth.required')
  return token
}

/** For calls of our own services only. @throws KlatschError `auth.required`, `auth.invalid_token` */
export function requireService(internalToken: string, request: FastifyRequest): void {
  if (!sameSecret(tokenOf(request), internalToken)) throw new KlatschError('auth.invalid_token')
}

/** Where a person's request came from. Only a gateway that shows the internal token may say it was someone else. */
export function addressOf(internalToken: string, request: FastifyRequest): string {
  const shown = request.headers['x-internal-token']
  const claimed = request.headers['x-forwarded-for']
  const trusted = typeof shown === 'string' && sameSecret(shown, internalToken)
  return trusted && typeof claimed === 'string' ? claimed : request.ip
}
