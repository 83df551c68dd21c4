import type { Audit } from '@klatsch/contracts'
import type { FastifyInstance } from 'fastify'
import type { FeedCounts } from '../connections/counts.ts'

/** What this gateway compared since it started, and what came of it: for anyone to see. */
export function auditRoutes(app: FastifyInstance, counts: FeedCounts, since: number): void {
  app.get('/api/audit', (_request, reply): Audit => {
    reply.header('cache-control', 'no-store')
    const { headsCompared, checked, diverged, healed } = counts
    return { headsCompared, checked, diverged, healed, since: new Date(since).toISOString() }
  })
}
