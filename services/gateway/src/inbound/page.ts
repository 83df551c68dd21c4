import fastifyStatic from '@fastify/static'
import { KlatschError } from '@klatsch/contracts'
import { sendProblem } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
}

const HOST = /^([\w.-]+|\[[\da-f:]+\])(:\d+)?$/i

/** Everything is a file of this host: nothing inline, nothing from elsewhere. */
const contentPolicy = (host: string): string =>
  [
    "default-src 'none'",
    ...['script', 'style', 'img', 'font', 'manifest'].map((kind) => `${kind}-src 'self'`),
    // Not every browser counts a socket of the same host as 'self'.
    `connect-src 'self'${HOST.test(host) ? ` ws://${host} wss://${host}` : ''}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join('; ')

/** Serves the files of the built page, compressed where they lie there so. */
export async function pageRoutes(app: FastifyInstance, folder: string): Promise<void> {
  app.addHook('onSend', async (request, reply) => {
    if (!String(reply.getHeader('content-type')).startsWith('text/html')) return
    reply.header('content-security-policy', contentPolicy(request.headers.host ?? ''))
  })
  await app.register(fastifyStatic, {
    root: folder,
    wildcard: true,
    preCompressed: true,
    cacheControl: false,
    setHeaders(response, path) {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.header(name, value)
      // What has its hash in its name never changes; which names there are is asked for each time.
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
