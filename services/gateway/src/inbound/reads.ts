import replyFrom, { type FastifyReplyFromOptions } from '@fastify/reply-from'
import { KlatschError } from '@klatsch/contracts'
import { sendProblem } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { chatPool } from '../outbound/chat-pool.ts'

const TIMEOUT_MS = 10_000
const CONNECTIONS = 32

/** Reads and accounts are `chat`'s: they are passed on as they are, and `chat` itself checks who asks. */
export async function readRoutes(
  app: FastifyInstance,
  options: { chatUrl: string; internalToken: string; trustProxy: boolean },
): Promise<void> {
  const pool = chatPool(options.chatUrl, { connections: CONNECTIONS, timeoutMs: TIMEOUT_MS, asks: ['GET'] })
  // `request` is all that it uses. Its types are those of another version of undici.
  const undici = pool as unknown as NonNullable<FastifyReplyFromOptions['undici']>
  await app.register(replyFrom, { base: options.chatUrl, undici, disableRequestLogging: true })
  app.addHook('onClose', () => pool.destroy())

  /** The last address that a proxy of ours put there, or the peer's own: never what a client claims by itself. */
  function clientAddress(request: FastifyRequest): string {
    const forwarded = options.trustProxy ? request.headers['x-forwarded-for'] : undefined
    return (
      String(forwarded ?? '')
        .split(',')
        .at(-1)
        ?.trim() || request.ip
    )
  }

  async function forward(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    return reply.from(request.url, {
      rewriteRequestHeaders: (_request, { 'x-forwarded-for': _claimed, ...headers }) => ({
        ...headers,
        'x-forwarded-for': clientAddress(request),
        'x-internal-token': options.internalToken,
      }),
      onError(failed, { error }) {
        sendProblem(
          failed as unknown as FastifyReply,
          new KlatschError('server.unavailable', undefined, { cause: error, retryAfterMs: 1_000 }),
        )
      },
    })
  }

  for (const call of ['register', 'login', 'guest', 'refresh', 'logout'])
    app.post(`/api/auth/${call}`, forward)
  for (const url of [
    '/api/auth/me',
    '/api/rooms',
    '/api/rooms/:id',
    '/api/rooms/:id/members',
    '/api/rooms/:id/messages',
    '/api/rooms/:id/events',
    '/api/users',
    '/api/commands/:id',
    '/.well-known/jwks.json',
  ]) {
    app.get(url, forward)
  }
  app.delete('/api/commands/:id', forward)
}
