import {
  KlatschError,
  membersQuerySchema,
  pageQuerySchema,
  type Room,
  roomSubject,
  roomsQuerySchema,
  streamId,
  subjectSchema,
  uuidSchema,
} from '@klatsch/contracts'
import { parseInput } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { AccessTokens } from '../../outbound/access-tokens.ts'
import type { Accounts } from '../../outbound/accounts.ts'
import type { Rooms } from '../../outbound/rooms.ts'
import type { Streams } from '../../outbound/streams.ts'
import { callerOf, signedCallerOf } from './callers.ts'

const roomIdSchema = z.string().refine((id) => subjectSchema.safeParse(roomSubject(id)).success)
const subjectOf = ({ params }: FastifyRequest): string | undefined => {
  const { success, data } = roomIdSchema.safeParse((params as { id: string }).id)
  return success ? roomSubject(data) : undefined
}
const usersQuerySchema = z.object({
  ids: z
    .string()
    .transform((ids) => ids.split(',').filter(Boolean))
    .pipe(z.array(uuidSchema).max(200)),
})
const eventsQuerySchema = pageQuerySchema.omit({ before: true })

/** What people read of rooms and of one another. Each call asks whether the caller may, first or together with what is read. */
export function roomRoutes(
  app: FastifyInstance,
  options: {
    readonly tokens: AccessTokens
    readonly rooms: Rooms
    readonly streams: Streams
    readonly accounts: Accounts
  },
): void {
  const { tokens, rooms, streams, accounts } = options

  /** @throws KlatschError `room.not_found`: there is none, or it is none of the caller's business. */
  async function roomOf(request: FastifyRequest): Promise<Room> {
    const { user } = await callerOf(tokens, request)
    const subject = subjectOf(request)
    const room = subject && (await rooms.room(streamId(subject), user.id))
    if (!room || (room.visibility === 'private' && !room.member)) throw new KlatschError('room.not_found')
    return room
  }

  /** @throws KlatschError `room.not_found`, `room.not_a_member` */
  async function insideOf(request: FastifyRequest): Promise<Room> {
    const room = await roomOf(request)
    if (!room.member) throw new KlatschError('room.not_a_member')
    return room
  }

  app.get('/api/rooms', async (request) => {
    const { user } = await callerOf(tokens, request)
    const query = parseInput(roomsQuerySchema, request.query)
    if (query.after !== undefined && !roomIdSchema.safeParse(query.after).success) {
      throw new KlatschError('request.invalid', 'after: must be the id of a room')
    }
    return rooms.list(user.id, query)
  })

  app.get('/api/rooms/:id', async (request) => ({ room: await roomOf(request) }))

  app.get('/api/rooms/:id/members', async (request) => {
    const room = await insideOf(request)
    const query = parseInput(membersQuerySchema, request.query)
    if (query.after !== undefined && !uuidSchema.safeParse(query.after).success) {
      throw new KlatschError('request.invalid', 'after: must be the id of a user')
    }
    return rooms.members(room.id, query)
  })

  app.get('/api/rooms/:id/messages', async (request) => {
    const room = await insideOf(request)
    const page = await rooms.messages(room.id, parseInput(pageQuerySchema, request.query))
    return { ...page, head: room.head ?? 0 }
  })

  app.get('/api/rooms/:id/events', async (request, reply) => {
    const { user, sessionId } = await signedCallerOf(tokens, request)
    const { after = 0, limit } = parseInput(eventsQuerySchema, request.query)
    const subject = subjectOf(request)
    const question = subject && { user: user.id, session: sessionId, subject, after, limit }
    const page = question && (await streams.page(question))
    if (!page) {
      await insideOf(request)
      // One became a member in this very moment.
      throw new KlatschError('server.unavailable', undefined, { retryAfterMs: 0 })
    }
    const { items, count, head } = page
    const upTo = after + count
    const next = count > 0 && upTo < head ? `,"next":${upTo}` : ''
    // The events are passed on as the bytes they are.
    const json = [Buffer.from('{"items":['), items, Buffer.from(`],"head":${head}${next}}`)]
    return reply.type('application/json; charset=utf-8').send(Buffer.concat(json))
  })

  app.get('/api/users', async (request) => {
    await callerOf(tokens, request)
    const { ids } = parseInput(usersQuerySchema, request.query)
    return { items: await accounts.byIds(ids) }
  })
}
