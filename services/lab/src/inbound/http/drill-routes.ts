import { type LabDrill, newDrillSchema } from '@klatsch/contracts'
import { parseInput, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Audit } from '../../outbound/audit.ts'
import type { Drills } from '../drills.ts'
import { administrator } from './administrators.ts'

/** Drills against the stack that this laboratory is part of. */
export function drillRoutes(
  app: FastifyInstance,
  options: { readonly verify: VerifyToken; readonly audit: Audit; readonly drills: Drills },
): void {
  const { verify, audit, drills } = options
  const idOf = (request: FastifyRequest) => (request.params as { id: string }).id

  app.post('/api/lab/drills', async (request, reply): Promise<LabDrill> => {
    const by = await administrator(verify, request)
    const order = parseInput(newDrillSchema, request.body)
    await audit.write(by, 'drill.started', { scenario: order.scenario.name, seed: order.seed })
    const drill = drills.start(order, by)
    reply.code(202)
    return drill
  })
  app.get('/api/lab/drills', async (): Promise<{ items: LabDrill[] }> => ({ items: drills.list() }))
  app.get('/api/lab/drills/:id', async (request): Promise<LabDrill> => drills.get(idOf(request)))
  app.delete('/api/lab/drills/:id', async (request): Promise<LabDrill> => {
    const by = await administrator(verify, request)
    await audit.write(by, 'drill.cancelled', { id: idOf(request) })
    return drills.cancel(idOf(request))
  })
}
