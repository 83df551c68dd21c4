import {
  createdRoomSubject,
  type EventData,
  KlatschError,
  type KnownEvent,
  knownEvent,
  roomSubject,
  streamEventSchema,
  streamId,
  userSubject,
  uuidSchema,
} from '@klatsch/contracts'
import { bearerOf, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { v7 } from 'uuid'
import type { ChatQueries } from '../connections/queries.ts'
import type { RateLimiter } from '../domain/rate-limiter.ts'
import type { Commands } from '../outbound/commands.ts'
import type { Outcome } from '../outbound/requests.ts'

interface Write {
  readonly type: string
  readonly subject: (request: FastifyRequest) => string | undefined
  readonly status: number
  /** The answer's body, made from the event alone, so that a repetition gets the same one. */
  readonly body: (event: KnownEvent | undefined, accepted: { subject: string; seq: number }) => unknown
}

const roomOf = (request: FastifyRequest) => roomSubject((request.params as { id: string }).id)

function roomBody(event: KnownEvent | undefined, subject: string): unknown {
  const room =
    event?.type === 'chat.room.created.v1' || event?.type === 'chat.room.renamed.v1'
      ? (event.data as EventData<'chat.room.created.v1'>)
      : {}
  return { room: { id: streamId(subject), ...room } }
}

const writes: Record<string, Write & { method: 'POST' | 'PATCH'; url: string }> = {
  create: {
    method: 'POST',
    url: '/api/rooms',
    type: 'chat.room.create.v1',
    subject: () => undefined,
    status: 201,
    body: (event, { subject }) => roomBody(event, subject),
  },
  rename: {
    method: 'PATCH',
    url: '/api/rooms/:id',
    type: 'chat.room.rename.v1',
    subject: roomOf,
    status: 200,
    body: (event, { subject }) => roomBody(event, subject),
  },
  join: {
    method: 'POST',
    url: '/api/rooms/:id/join',
    type: 'chat.room.join.v1',
    subject: roomOf,
    status: 200,
    body: (_event, { seq }) => ({ seq }),
  },
  leave: {
    method: 'POST',
    url: '/api/rooms/:id/leave',
    type: 'chat.room.leave.v1',
    subject: roomOf,
    status: 200,
    body: (_event, { seq }) => ({ seq }),
  },
  send: {
    method: 'POST',
    url: '/api/rooms/:id/messages',
    type: 'chat.message.send.v1',
    subject: roomOf,
    status: 201,
    body: (event, { subject, seq }) => ({
      message: {
        ...(event?.type === 'chat.message.sent.v1'
          ? {
              id: event.id,
              messageNo: event.data.messageNo,
              text: event.data.text,
              author: streamId(event.actor),
              time: event.time,
            }
          : {}),
        room: streamId(subject),
        seq,
      },
    }),
  },
}

/** Writes over HTTP: each is a command on the log, and the request waits for its outcome. */
export function writeRoutes(
  app: FastifyInstance,
  options: { commands: Commands; queries: ChatQueries; verify: VerifyToken; limiter: RateLimiter },
): void {
  const { commands, queries, verify, limiter } = options

  async function eventAt(subject: string, seq: number): Promise<KnownEvent | undefined> {
    const [page] = await queries.events([{ subject, after: seq - 1, limit: 1 }])
    const [text] = page?.items ?? []
    return text === undefined ? undefined : knownEvent(streamEventSchema.parse(JSON.parse(text)))
  }

  async function handle(write: Write, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const token = bearerOf(request.headers.authorization)
    if (!token) throw new KlatschError('auth.required')
    const user = await verify(token)
    const wait = limiter.take(user.id)
    if (wait > 0) throw new KlatschError('limit.rate', undefined, { retryAfterMs: wait })
    const key = request.headers['idempotency-key']
    const id = key === undefined ? v7() : String(key).toLowerCase()
    if (!uuidSchema.safeParse(id).success)
      throw new KlatschError('request.invalid', 'Idempotency-Key: must be a UUID')
    reply.header('idempotency-key', id)
    const subject = write.subject(request)

    const outcome = await new Promise<Outcome>((resolve) => {
      commands.submit(
        { id, type: write.type, subject, after: undefined, data: request.body ?? {}, user },
        resolve,
      )
    })
    switch (outcome.state) {
      case 'accepted': {
        const event = outcome.record
          ? knownEvent(streamEventSchema.parse(JSON.parse(outcome.record.value.toString())))
          : await eventAt(outcome.subject, outcome.seq)
        const mine = event?.causationid === id ? event : undefined
        return reply.code(write.status).send(write.body(mine, outcome))
      }
      case 'refused':
        throw new KlatschError(outcome.code, outcome.detail)
      case 'unknown': {
        if (outcome.code !== 'server.timeout')
          throw new KlatschError(outcome.code, outcome.detail, { retryAfterMs: 1_000 })
        const location = `/api/commands/${id}`
        const named = subject ?? createdRoomSubject(userSubject(user.id), id)
        return reply
          .code(202)
          .header('location', location)
          .send({ state: 'unknown', subject: named, location })
      }
    }
  }

  for (const write of Object.values(writes)) {
    app.route({
      method: write.method,
      url: write.url,
      handler: (request, reply) => handle(write, request, reply),
    })
  }
}
