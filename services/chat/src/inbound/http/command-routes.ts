import { type CommandState, KlatschError, limits, userSubject, uuidSchema } from '@klatsch/contracts'
import { parseInput } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CommandStore } from '../../domain/command-store.ts'
import { rateLimiter } from '../../domain/rate-limit.ts'
import type { AccessTokens } from '../../outbound/access-tokens.ts'
import { answering } from '../../outbound/prisma.ts'
import type { Rooms } from '../../outbound/rooms.ts'
import { callerOf } from './callers.ts'

/** What became of one's own commands; and taking back one that has no outcome yet. */
export function commandRoutes(
  app: FastifyInstance,
  options: {
    readonly tokens: AccessTokens
    readonly rooms: Rooms
    readonly store: CommandStore
    readonly now: () => number
  },
): void {
  const { tokens, rooms, store, now } = options
  // Each leaves a row for ever, as a command does.
  const perMinute = limits.commandsPerSecond * 60
  const limiter = rateLimiter({ perMinute, burst: limits.commandBurst }, now)

  async function nameOf(request: FastifyRequest): Promise<{ userId: string; id: string }> {
    const { user } = await callerOf(tokens, request)
    return { userId: user.id, id: parseInput(uuidSchema, (request.params as { id: string }).id) }
  }

  app.get('/api/commands/:id', async (request): Promise<CommandState> => {
    const { userId, id } = await nameOf(request)
    return rooms.command(userId, id)
  })

  app.delete('/api/commands/:id', async (request): Promise<CommandState> => {
    const { userId, id } = await nameOf(request)
    const retryAfterMs = limiter.take(userId)
    if (retryAfterMs > 0) throw new KlatschError('limit.rate', undefined, { retryAfterMs })
    const actor = userSubject(userId)
    await answering(store.claim({ actor, id, state: 'cancelled', code: 'command.cancelled' }))
    return rooms.command(userId, id)
  })
}
