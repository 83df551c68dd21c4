import {
  type LabEcho,
  type LabRedrive,
  type LabRedrivePlan,
  labEchoChangeSchema,
  labEchoQuerySchema,
  labRedriveQuerySchema,
} from '@klatsch/contracts'
import { parseInput, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyInstance } from 'fastify'
import type { Audit } from '../../outbound/audit.ts'
import type { Echo } from '../echo.ts'
import { administrator } from './administrators.ts'

interface EchoRoutes {
  readonly verify: VerifyToken
  readonly audit: Audit
  readonly echo: Echo
}

/** The echo projection. Every change is written down before it is made. */
export function echoRoutes(app: FastifyInstance, { verify, audit, echo }: EchoRoutes): void {
  app.get('/api/lab/echo', async (request): Promise<LabEcho> => {
    const { room } = parseInput(labEchoQuerySchema, request.query)
    return echo.status(room)
  })

  app.patch('/api/lab/echo', async (request): Promise<LabEcho> => {
    const change = parseInput(labEchoChangeSchema, request.body)
    await audit.write(await administrator(verify, request), 'echo.changed', change)
    await echo.change(change)
    return echo.status()
  })

  app.post('/api/lab/echo/redrive', async (request, reply): Promise<LabRedrive | LabRedrivePlan> => {
    const { dryRun, perSecond, keys, limit } = parseInput(labRedriveQuerySchema, request.body ?? {})
    const selection = { ...(keys && { keys }), ...(limit !== undefined && { limit }) }
    if (dryRun) return echo.plan(selection)
    await audit.write(await administrator(verify, request), 'echo.redriven', { ...selection, perSecond })
    reply.code(202)
    return echo.redrive(selection, perSecond)
  })

  app.delete('/api/lab/echo/redrive', async (request, reply) => {
    await audit.write(await administrator(verify, request), 'echo.redrive-cancelled', {})
    echo.cancel()
    return reply.code(204).send()
  })
}
