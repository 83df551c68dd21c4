import {
  type CommandRowsAnswer,
  commandRowsAnswerSchema,
  KlatschError,
  type OutcomesAnswer,
  outcomesAnswerSchema,
} from '@klatsch/contracts'
import type { Closable } from '@klatsch/service-kit'
import { Pool } from 'undici'
import type { ZodType, z } from 'zod'

const TIMEOUT_MS = 5_000
/** What chat takes in one question. */
const NAMES = 1_000

/** A command's permanent name. */
export interface CommandName {
  readonly actor: string
  readonly id: string
}

/** What only chat knows: its tables are nobody else's to read. Every call may throw `server.unavailable`. */
export interface ChatQueries {
  /** Commands without an outcome are missing. */
  outcomes(names: readonly CommandName[]): Promise<OutcomesAnswer['outcomes']>
  rows(name: CommandName): Promise<CommandRowsAnswer['rows']>
}

export function chatQueries(chatUrl: string, internalToken: string): ChatQueries & Closable {
  const pool = new Pool(chatUrl, {
    connections: 4,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: { timeout: 2_000 },
  })

  async function ask<S extends ZodType>(path: string, body: unknown, answer: S): Promise<z.output<S>> {
    try {
      const response = await pool.request({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${internalToken}` },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS * 2),
      })
      if (response.statusCode !== 200) {
        await response.body.dump()
        throw new Error(`chat answered ${response.statusCode} to ${path}`)
      }
      return answer.parse(await response.body.json())
    } catch (cause) {
      throw new KlatschError('server.unavailable', 'chat does not answer', { cause, retryAfterMs: 1_000 })
    }
  }

  return {
    async outcomes(names) {
      const found: OutcomesAnswer['outcomes'] = []
      for (let from = 0; from < names.length; from += NAMES) {
        const some = names.slice(from, from + NAMES)
        found.push(...(await ask('/internal/outcomes', { names: some }, outcomesAnswerSchema)).outcomes)
      }
      return found
    },
    rows: async (name) => (await ask('/internal/command-rows', name, commandRowsAnswerSchema)).rows,
    close: () => pool.destroy(),
  }
}
