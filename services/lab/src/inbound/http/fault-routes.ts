import { type LabFault, type LabFaults, type LabHalt, newFaultSchema, uuidSchema } from '@klatsch/contracts'
import { parseInput, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyInstance } from 'fastify'
import type { Faults } from '../faults.ts'
import { administrator } from './administrators.ts'

/** Faults on demand: list, set, call off one or all. */
export function faultRoutes(
  app: FastifyInstance,
  { verify, faults }: { readonly verify: VerifyToken; readonly faults: Faults },
): void {
  app.get('/api/lab/faults', async (): Promise<LabFaults> => faults.list())

  app.post('/api/lab/faults', async (request, reply): Promise<LabFault> => {
    const by = await administrator(verify, request)
    const fault = await faults.set(parseInput(newFaultSchema, request.body), by)
    reply.code(201)
    return fault
  })

  app.post('/api/lab/faults/halt', async (request): Promise<LabHalt> => {
    return faults.haltAll(await administrator(verify, request))
  })

  app.delete('/api/lab/faults/:id', async (request): Promise<LabFault> => {
    const by = await administrator(verify, request)
    return faults.halt(parseInput(uuidSchema, (request.params as { id: string }).id), by)
  })
}
