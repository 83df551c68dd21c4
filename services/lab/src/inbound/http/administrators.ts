import { KlatschError, userSubject } from '@klatsch/contracts'
import { bearerOf, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../../outbound/audit.ts'

/**
 * Who asks, if an administrator does. The gateway has looked already, and is not believed.
 * @throws KlatschError `auth.required`, `auth.expired`, `auth.invalid_token`, `auth.forbidden`
 */
export async function administrator(verify: VerifyToken, request: FastifyRequest): Promise<Actor> {
  const token = bearerOf(request.headers.authorization)
  if (token === undefined) throw new KlatschError('auth.required')
  const user = await verify(token)
  if (!user.admin) throw new KlatschError('auth.forbidden', 'the laboratory is for administrators')
  return { actor: userSubject(user.id), name: user.username }
}
