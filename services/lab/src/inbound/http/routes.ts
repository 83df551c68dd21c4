import {
  KlatschError,
  type LabAuditEntry,
  type LabDlq,
  type LabFollow,
  type LabRecords,
  type LabTopic,
  type LogPosition,
  labAuditQuerySchema,
  labDlqQuerySchema,
  labFollowQuerySchema,
  labRecordsQuerySchema,
  partitionOf,
  readPosition,
  recordMatches,
  topics,
  uuidSchema,
  writeOffsets,
} from '@klatsch/contracts'
import { parseInput, type VerifyToken } from '@klatsch/service-kit'
import type { FastifyInstance } from 'fastify'
import { shown } from '../../domain/record.ts'
import type { Audit } from '../../outbound/audit.ts'
import type { ReadTopic } from '../../outbound/topic-reader.ts'
import type { TopicWatch } from '../../outbound/topic-watch.ts'
import type { DeadLetters } from '../dead-letters.ts'
import type { Drills } from '../drills.ts'
import type { Echo } from '../echo.ts'
import type { Faults } from '../faults.ts'
import type { Follow } from '../follow.ts'
import type { Jobs } from '../jobs.ts'
import type { Resend } from '../resend.ts'
import { administrator } from './administrators.ts'
import { drillRoutes } from './drill-routes.ts'
import { echoRoutes } from './echo-routes.ts'
import { faultRoutes } from './fault-routes.ts'
import { jobRoutes } from './job-routes.ts'

export interface LabRoutes {
  readonly verify: VerifyToken
  readonly watch: TopicWatch
  readonly read: ReadTopic
  readonly follow: Follow
  readonly deadLetters: DeadLetters
  readonly audit: Audit
  readonly echo: Echo
  readonly faults: Faults
  readonly jobs: Jobs
  readonly drills: Drills
  readonly resend: Resend
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const MAX_SCANNED = 100_000
const MAX_BYTES = 8 * 1024 * 1024

/** All of the laboratory's HTTP. Nobody but an administrator gets past the door. */
export function labRoutes(app: FastifyInstance, options: LabRoutes): void {
  const { verify, watch, read, follow, deadLetters, audit, now } = options

  app.addHook('onRequest', async (request) => {
    if (request.url.startsWith('/api/')) await administrator(verify, request)
  })

  faultRoutes(app, options)
  jobRoutes(app, options)
  drillRoutes(app, options)

  app.get('/api/lab/topics', async (): Promise<{ items: LabTopic[] }> => ({ items: await watch.look() }))

  app.get('/api/lab/topics/:name/records', async (request): Promise<LabRecords> => {
    const { name: topic } = request.params as { name: string }
    const query = parseInput(labRecordsQuerySchema, request.query)
    const { from, to, partition, limit, ...filter } = query
    const begin = positionOf(from)
    const found = await read({
      topic,
      partition: partition ?? partitionOfKey(topic, filter.key),
      from: begin,
      to: to === undefined ? undefined : positionOf(to),
      matches: (record) => recordMatches(record, filter),
      limit,
      which: begin.kind === 'last' ? 'newest' : 'first',
      maxScanned: MAX_SCANNED,
      maxBytes: MAX_BYTES,
    })
    return {
      items: found.records.map(shown),
      scanned: found.scanned,
      ...(found.next === undefined ? {} : { next: writeOffsets(found.next) }),
    }
  })

  app.get('/api/lab/follow/:id', async (request): Promise<LabFollow> => {
    const id = parseInput(uuidSchema, (request.params as { id: string }).id)
    const { actor } = parseInput(labFollowQuerySchema, request.query)
    return follow(id, actor)
  })

  app.get(
    '/api/lab/dlq',
    async (request): Promise<LabDlq> => deadLetters.look(parseInput(labDlqQuerySchema, request.query)),
  )

  app.get('/api/lab/audit', async (request): Promise<{ items: LabAuditEntry[] }> => {
    const { before, limit } = parseInput(labAuditQuerySchema, request.query)
    return { items: await audit.list(before, limit) }
  })

  echoRoutes(app, options)

  function positionOf(word: string): LogPosition {
    const position = readPosition(word, now())
    if (!position) throw new KlatschError('request.invalid', `${word.slice(0, 50)} is no position`)
    return position
  }
}

/** All records of a key are in one partition: that of a topic of ours is known. */
function partitionOfKey(topic: string, key: string | undefined): number | undefined {
  const known = Object.values(topics).find(({ name }) => name === topic)
  return known && key !== undefined ? partitionOf(key, known.partitions) : undefined
}
