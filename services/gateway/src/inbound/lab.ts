import { KlatschError } from '@klatsch/contracts'
import { bearerOf, type Closable, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyInstance } from 'fastify'
import { Pool } from 'undici'

/** Reading a stretch of the log takes its time. */
const TIMEOUT_MS = 30_000

/** Passes `/api/lab/*` on to the laboratory, for administrators alone; it checks for itself, too, who asks. */
export function labRoutes(
  app: FastifyInstance,
  options: { readonly labUrl: string; readonly verify: VerifyToken },
): Closable {
  const pool = new Pool(options.labUrl, {
    connections: 8,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: { timeout: 2_000 },
  })

  app.route({
    method: ['GET', 'POST', 'PATCH', 'DELETE'],
    url: '/api/lab/*',
    async handler(request, reply) {
      const token = bearerOf(request.headers.authorization)
      if (!token) throw new KlatschError('auth.required')
      const { admin } = await options.verify(token)
      if (!admin) throw new KlatschError('auth.forbidden', 'the laboratory is for administrators')
      const authorization = `Bearer ${token}`
      const content =
        request.body === undefined || request.body === null
          ? { headers: { authorization } }
          : {
              headers: { authorization, 'content-type': 'application/json' },
              body: JSON.stringify(request.body),
            }
      try {
        const answer = await pool.request({
          method: request.method as 'GET',
          path: request.url,
          ...content,
        })
        const type = answer.headers['content-type']
        if (typeof type === 'string') reply.type(type)
        return reply.code(answer.statusCode).send(answer.body)
      } catch (cause) {
        throw new KlatschError('server.unavailable', 'the laboratory does not answer', {
          cause,
          retryAfterMs: 1_000,
        })
      }
    },
  })
  return { close: () => pool.destroy() }
}
