import {
  type Attempt,
  attemptSchema,
  KlatschError,
  type LabEcho,
  type LabEchoChange,
  type LabFollow,
  type LabJob,
  type LabJobAnswer,
  type LabRecords,
  labEchoSchema,
  labFaultSchema,
  labFollowSchema,
  labHaltSchema,
  labJobAnswerSchema,
  labJobSchema,
  labRecordsSchema,
  labRedriveSchema,
  type newFaultSchema,
  topics,
} from '@klatsch/contracts'
import type { z } from 'zod'
import { patiently } from '../people/records.ts'

const ANSWER_MS = 15_000
const AWAY_MS = 20_000
const PAGES = 10

/** What drills ask of the laboratory, as an administrator. Every call rejects with what it has against it. */
export interface Lab {
  /** Resolves when every instance that lives has it; rejects when none has. */
  setFault(order: z.input<typeof newFaultSchema>): Promise<void>
  haltFaults(): Promise<void>
  follow(command: string, actor: string): Promise<LabFollow>
  /** Sends what is held through chat again. */
  redrive(): Promise<LabJobAnswer>
  job(id: string): Promise<LabJob>
  /** The echo projection, and what it has of a room. */
  echo(room?: string): Promise<LabEcho>
  changeEcho(change: LabEchoChange): Promise<void>
  /** Begins to redrive what is parked of these keys. */
  redriveEcho(keys: readonly string[]): Promise<void>
  /** What went wrong with the echo's records of a key since then; the first thousands of it. */
  attempts(key: string, since: number): Promise<Attempt[]>
}

/** The echo's consumer group. */
const ECHO = 'lab.echo'

/** @param token an administrator's, good for as long as it is asked for */
export function labAt(baseUrl: string, token: () => Promise<string>): Lab {
  /** What of the server is away now may be back in a moment: parts are killed here all the time. */
  const call = <S extends z.ZodType>(method: string, path: string, answer: S, body?: unknown) =>
    patiently(() => once(method, path, answer, body), AWAY_MS)

  async function once<S extends z.ZodType>(method: string, path: string, answer: S, body: unknown) {
    const response = await fetch(`${baseUrl}/api/lab${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    }).catch((cause: unknown) => {
      throw new KlatschError('server.unavailable', undefined, { cause })
    })
    if (response.status === 503) throw new KlatschError('server.unavailable', await response.text())
    if (!response.ok) throw new Error(`the laboratory answered ${response.status}: ${await response.text()}`)
    return answer.parse(await response.json())
  }

  return {
    async setFault(order) {
      const { active } = await call('POST', '/faults', labFaultSchema, order)
      // Who died a moment ago still counts as an instance, and who dies of it never says that it had it.
      if (active.length === 0 && order.effect.kind !== 'crash') throw new Error('the fault is active nowhere')
    },
    haltFaults: async () => void (await call('POST', '/faults/halt', labHaltSchema, {})),
    follow: (command, actor) =>
      call('GET', `/follow/${command}?actor=${encodeURIComponent(actor)}`, labFollowSchema),
    redrive: () => call('POST', '/dlq/redrive', labJobAnswerSchema, { perSecond: 200 }),
    echo: (room) =>
      call('GET', `/echo${room === undefined ? '' : `?room=${encodeURIComponent(room)}`}`, labEchoSchema),
    changeEcho: async (change) => void (await call('PATCH', '/echo', labEchoSchema, change)),
    redriveEcho: async (keys) => void (await call('POST', '/echo/redrive', labRedriveSchema, { keys })),
    async attempts(key, since) {
      const found: Attempt[] = []
      let from: string | undefined = new Date(since).toISOString()
      for (let page = 0; from !== undefined && page < PAGES; page += 1) {
        const query = new URLSearchParams({ key, from, limit: '500' })
        const { items, next }: LabRecords = await call(
          'GET',
          `/topics/${topics.attempts.name}/records?${query}`,
          labRecordsSchema,
        )
        for (const { value } of items) {
          const attempt = attemptSchema.safeParse(value).data
          if (attempt?.group === ECHO) found.push(attempt)
        }
        from = items.length > 0 ? next : undefined
      }
      return found
    },
    job: (id) => call('GET', `/jobs/${id}`, labJobSchema),
  }
}
