import { type LabJob, type LabJobAnswer, redriveBodySchema, replayBodySchema } from '@klatsch/contracts'
import { parseInput, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Jobs } from '../jobs.ts'
import type { Resend } from '../resend.ts'
import { administrator } from './administrators.ts'

/** Sending records again, and the jobs that do it. */
export function jobRoutes(
  app: FastifyInstance,
  options: { readonly verify: VerifyToken; readonly jobs: Jobs; readonly resend: Resend },
): void {
  const { verify, jobs, resend } = options
  const idOf = (request: FastifyRequest) => (request.params as { id: string }).id

  app.post('/api/lab/dlq/redrive', async (request, reply): Promise<LabJobAnswer> => {
    const by = await administrator(verify, request)
    const answer = await resend.redrive(parseInput(redriveBodySchema, request.body ?? {}), by)
    reply.code(answer.job ? 202 : 200)
    return answer
  })
  app.post('/api/lab/replay', async (request, reply): Promise<LabJobAnswer> => {
    const by = await administrator(verify, request)
    const answer = await resend.replay(parseInput(replayBodySchema, request.body), by)
    reply.code(answer.job ? 202 : 200)
    return answer
  })
  app.get('/api/lab/jobs', async (): Promise<{ items: LabJob[] }> => ({ items: jobs.list() }))
  app.get('/api/lab/jobs/:id', async (request): Promise<LabJob> => jobs.get(idOf(request)))
  app.delete('/api/lab/jobs/:id', async (request): Promise<LabJob> => jobs.cancel(idOf(request)))
}
