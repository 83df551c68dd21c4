import {
  type LabFollow,
  type LabJob,
  type LabJobAnswer,
  labFaultSchema,
  labFollowSchema,
  labHaltSchema,
  labJobAnswerSchema,
  labJobSchema,
  type newFaultSchema,
} from '@klatsch/contracts'
import type { z } from 'zod'

const ANSWER_MS = 15_000

/** What drills ask of the laboratory, as an administrator. Every call rejects with what it has against it. */
export interface Lab {
  /** Resolves when every instance has it. */
  setFault(order: z.input<typeof newFaultSchema>): Promise<void>
  haltFaults(): Promise<void>
  follow(command: string, actor: string): Promise<LabFollow>
  /** Sends what is held through chat again. */
  redrive(): Promise<LabJobAnswer>
  job(id: string): Promise<LabJob>
}

/** @param token an administrator's, good for as long as it is asked for */
export function labAt(baseUrl: string, token: () => Promise<string>): Lab {
  async function call<S extends z.ZodType>(method: string, path: string, answer: S, body?: unknown) {
    const response = await fetch(`${baseUrl}/api/lab${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    if (!response.ok) throw new Error(`the laboratory answered ${response.status}: ${await response.text()}`)
    return answer.parse(await response.json())
  }

  return {
    async setFault(order) {
      const { active, of } = await call('POST', '/faults', labFaultSchema, order)
      if (active.length < of)
        throw new Error(`the fault is active in ${active.length} of ${of} instances only`)
    },
    haltFaults: async () => void (await call('POST', '/faults/halt', labHaltSchema, {})),
    follow: (command, actor) =>
      call('GET', `/follow/${command}?actor=${encodeURIComponent(actor)}`, labFollowSchema),
    redrive: () => call('POST', '/dlq/redrive', labJobAnswerSchema, { perSecond: 200 }),
    job: (id) => call('GET', `/jobs/${id}`, labJobSchema),
  }
}
