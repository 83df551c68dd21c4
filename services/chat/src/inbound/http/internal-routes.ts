import {
  type CommandRowsAnswer,
  commandRowsBodySchema,
  type EndedSessionsAnswer,
  type EventsAnswer,
  eventsBodySchema,
  type HeadsAnswer,
  headsBodySchema,
  type OutcomesAnswer,
  outcomesBodySchema,
  type StreamsAnswer,
  streamsBodySchema,
} from '@klatsch/contracts'
import { parseInput } from '@klatsch/service-kit'
import type { FastifyInstance } from 'fastify'
import { ACCESS_SECONDS } from '../../domain/sessions.ts'
import type { Accounts } from '../../outbound/accounts.ts'
import type { CommandRows } from '../../outbound/command-rows.ts'
import type { ReadableStream, Streams } from '../../outbound/streams.ts'
import { requireService } from './callers.ts'

/** Twenty thousand subjects are more than what people may send. */
const BODY_BYTES = 4 * 1024 * 1024

/** What gateways and the laboratory ask of chat; see `internal.ts` of the contracts. */
export function internalRoutes(
  app: FastifyInstance,
  options: {
    readonly streams: Streams
    readonly accounts: Accounts
    readonly commandRows: CommandRows
    readonly internalToken: string
    readonly now: () => number
  },
): void {
  const { streams, accounts, commandRows, internalToken, now } = options
  const route = {
    bodyLimit: BODY_BYTES,
    onRequest: async (request: Parameters<typeof requireService>[1]) =>
      requireService(internalToken, request),
  }

  app.post('/internal/streams', route, async (request): Promise<StreamsAnswer> => {
    const { questions } = parseInput(streamsBodySchema, request.body)
    const alive = await accounts.alive(questions.flatMap(({ session }) => session ?? []))
    const isOpen = ({ session }: (typeof questions)[number]) => session === undefined || alive.has(session)
    return numbered(questions.map(isOpen), await streams.readable(questions.filter(isOpen)))
  })
  app.post('/internal/sessions/ended', route, async (): Promise<EndedSessionsAnswer> => {
    const then = new Date(now() - ACCESS_SECONDS * 1_000)
    return { sessions: [...(await accounts.endedSince(then))] }
  })
  app.post('/internal/heads', route, async (request): Promise<HeadsAnswer> => {
    const { subjects } = parseInput(headsBodySchema, request.body)
    return { heads: Object.fromEntries(await streams.heads(subjects)) }
  })
  app.post('/internal/events', route, async (request): Promise<EventsAnswer> => {
    const { pages } = parseInput(eventsBodySchema, request.body)
    const answers = await streams.events(pages)
    return { pages: answers.map(({ items, head }) => ({ items: [...items], head })) }
  })
  app.post('/internal/outcomes', route, async (request): Promise<OutcomesAnswer> => {
    const { names } = parseInput(outcomesBodySchema, request.body)
    return { outcomes: await commandRows.outcomes(names) }
  })
  app.post('/internal/command-rows', route, async (request): Promise<CommandRowsAnswer> => {
    return { rows: await commandRows.rows(parseInput(commandRowsBodySchema, request.body)) }
  })
}

/** Many who may read the same streams name them by a number. `readable`: of those whose session is open, in their order. */
function numbered(open: readonly boolean[], readable: readonly (readonly ReadableStream[])[]): StreamsAnswer {
  const indexes = new Map<string, number>()
  const streams: StreamsAnswer['streams'] = []
  const next = readable.values()
  const answers = open.map((isOpen): StreamsAnswer['answers'][number] => {
    if (!isOpen) return 'ended'
    return (next.next().value ?? []).map(({ subject, first, head }): [number, number] => {
      let index = indexes.get(subject)
      if (index === undefined) {
        index = streams.push({ subject, ...head }) - 1
        indexes.set(subject, index)
      }
      return [index, first]
    })
  })
  return { streams, answers }
}
