import { roomSubject } from '@klatsch/contracts'
import type { FaultPoint } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Lets the faults of a point meet what is read: rooms by people, and what gateways ask. */
export function faultyReads(app: FastifyInstance, point: FaultPoint): void {
  app.addHook('preHandler', async (request) => {
    if (point.armed && isRead(request)) await point.strike([{ room: roomOf(request) }])
  })
}

const isRead = ({ url }: FastifyRequest): boolean =>
  url.startsWith('/internal/') || url.startsWith('/api/rooms')

/** The one room that is asked about; undefined where there are several or none. */
function roomOf({ params }: FastifyRequest): string | undefined {
  const { id } = params as { id?: string }
  return id === undefined ? undefined : roomSubject(id)
}
