import {
  endedSessionsAnswerSchema,
  eventsAnswerSchema,
  headsAnswerSchema,
  KlatschError,
  streamsAnswerSchema,
} from '@klatsch/contracts'
import { type Closable, circuitBreaker, steadyClock } from '@klatsch/service-kit'
import type { Dispatcher } from 'undici'
import type { ZodType, z } from 'zod'
import type { ChatQueries } from '../connections/queries.ts'
import { chatPool } from './chat-pool.ts'

const TIMEOUT_MS = 5_000
const CONNECTIONS = 16

/**
 * Asks `chat` over HTTP, with the internal token; 16 at a time, the others wait their turn. While chat is away, or says
 * that it cannot answer, one asks now and then, and the others hear at once when to come back.
 */
export function chatQueries(
  chatUrl: string,
  internalToken: string,
  warn: (fields: object, message: string) => void,
): ChatQueries & Closable & { endedSessions(): Promise<readonly string[]> } {
  const pool = chatPool(chatUrl, { connections: CONNECTIONS, timeoutMs: TIMEOUT_MS, asks: ['POST'] })
  const breaker = circuitBreaker('chat', {
    now: steadyClock.now,
    random: Math.random,
    moved: (away, err) => warn(away ? { err } : {}, away ? 'chat does not answer' : 'chat answers again'),
  })

  async function ask<S extends ZodType>(path: string, body: unknown, answer: S): Promise<z.output<S>> {
    try {
      const response = await breaker.run(() => request(path, body))
      if (response.statusCode !== 200) {
        await response.body.dump()
        throw new Error(`chat answered ${response.statusCode} to ${path}`)
      }
      return answer.parse(await response.body.json())
    } catch (cause) {
      if (cause instanceof KlatschError) throw cause
      throw new KlatschError('server.unavailable', undefined, { cause, retryAfterMs: 1_000 })
    }
  }

  async function request(path: string, body: unknown): Promise<Dispatcher.ResponseData> {
    const response = await pool.request({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${internalToken}` },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS * 2),
    })
    if (response.statusCode < 500) return response
    await response.body.dump()
    throw new Error(`chat answered ${response.statusCode} to ${path}`)
  }

  return {
    async streams(questions) {
      const { streams, answers } = await ask('/internal/streams', { questions }, streamsAnswerSchema)
      return answers.map((answer) =>
        answer === 'ended'
          ? answer
          : answer.map(([index, first]) => {
              const { subject, ...head } = streams[index]!
              return { subject, first, head }
            }),
      )
    },
    endedSessions: async () =>
      (await ask('/internal/sessions/ended', {}, endedSessionsAnswerSchema)).sessions,
    heads: async (subjects) => (await ask('/internal/heads', { subjects }, headsAnswerSchema)).heads,
    events: async (pages) => (await ask('/internal/events', { pages }, eventsAnswerSchema)).pages,
    close: () => pool.destroy(),
  }
}
