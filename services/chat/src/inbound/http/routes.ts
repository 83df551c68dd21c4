import type { FastifyInstance } from 'fastify'
import type { CommandStore } from '../../domain/command-store.ts'
import type { CommandRows } from '../../outbound/command-rows.ts'
import type { Rooms } from '../../outbound/rooms.ts'
import type { SigningKeys } from '../../outbound/signing-keys.ts'
import type { Streams } from '../../outbound/streams.ts'
import { type AuthRoutes, authRoutes } from './auth-routes.ts'
import { commandRoutes } from './command-routes.ts'
import { internalRoutes } from './internal-routes.ts'
import { roomRoutes } from './room-routes.ts'

export interface ChatRoutes extends AuthRoutes {
  readonly keys: SigningKeys
  readonly rooms: Rooms
  readonly streams: Streams
  readonly commandRows: CommandRows
  readonly store: CommandStore
}

/** All of chat's HTTP: accounts, reads, what gateways ask, and the keys by which anyone can check a token. */
export function chatRoutes(app: FastifyInstance, options: ChatRoutes): void {
  authRoutes(app, options)
  roomRoutes(app, options)
  commandRoutes(app, options)
  internalRoutes(app, options)
  app.get('/.well-known/jwks.json', async (_request, reply) =>
    reply.header('cache-control', 'public, max-age=300').send({ keys: options.keys.publicJwks }),
  )
}
