import fastifyStatic from '@fastify/static'
import { KlatschError } from '@klatsch/contracts'
import { sendProblem } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}

/** Serves the files of the built page. */
export async function pageRoutes(app: FastifyInstance, folder: string): Promise<void> {
  await app.register(fastifyStatic, {
    root: folder,
    wildcard: true,
    setHeaders(response, path) {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.header(name, value)
      const hashed = /[\\/]assets[\\/]/.test(path)
      response.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
}

/** What no route takes is the page's own to understand, when a person asks for it. */
export function pageOrProblem(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const forPeople = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')
  if (!forPeople || request.url.startsWith('/api/'))
    return sendProblem(reply, new KlatschError('request.not_found'))
  return reply.sendFile('index.html')
}
