import { hostname } from 'node:os'
import { faultOrderSchema, haltFaultsBodySchema, KlatschError, topics } from '@klatsch/contracts'
import type { FastifyInstance } from 'fastify'
import { bearerOf, parseInput, sameSecret } from '../http.ts'
import { type Closable, every } from '../lifecycle.ts'
import type { FaultBoard } from './board.ts'

interface Orders {
  readonly value: Buffer
}

/** As much of an event bus as it takes. */
interface FaultBus {
  consume(options: {
    readonly group: string
    readonly topics: readonly string[]
    readonly start: 'end'
    readonly handler: (records: readonly Orders[]) => Promise<void>
  }): Promise<{ readonly ready: Promise<void>; close(): Promise<void> }>
}

interface FaultPublisher {
  publish(
    records: readonly {
      readonly topic: string
      readonly key: string
      readonly value: string
      readonly headers: Readonly<Record<string, string>>
    }[],
  ): Promise<void>
}

const SAY_MS = 4_000

/**
 * Takes orders from `lab.faults`, those that come from now on: what was ordered before this process began is not for it,
 * unless the laboratory orders it again. Says on `lab.instances` that it is here, and what stands.
 */
export async function listenForFaults(options: {
  readonly board: FaultBoard
  readonly bus: FaultBus
  readonly publisher: FaultPublisher
  /** Where this process takes internal calls. */
  readonly url: string
  readonly debug: (fields: object, message: string) => void
}): Promise<Closable> {
  const { board, bus, publisher, url, debug } = options
  const { service, instance } = board

  function say(gone: boolean): Promise<void> {
    const value = JSON.stringify({ service, instance, url, rules: board.rules, gone })
    const record = { topic: topics.labInstances.name, key: instance, value, headers: {} }
    return publisher.publish([record]).catch((err) => debug({ err }, 'the laboratory could not be told'))
  }

  const consumer = await bus.consume({
    group: `faults-${instance}`,
    topics: [topics.labFaults.name],
    start: 'end',
    async handler(records) {
      for (const { value } of records) {
        const order = faultOrderSchema.safeParse(parsed(value))
        if (order.success) board.take(order.data)
      }
    },
  })
  board.onChange(() => void say(false))
  const saying = every(SAY_MS, () => void say(false))
  consumer.ready.then(
    () => say(false),
    () => {},
  )
  return {
    async close() {
      saying.close()
      // Nobody is to wait for a fault of a process that ends.
      board.close()
      await consumer.close()
      await say(true)
    },
  }
}

function parsed(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString())
  } catch {
    return undefined
  }
}

/** `POST /internal/faults/halt`: ends all faults here, whatever is the matter with the log. */
export function haltRoute(app: FastifyInstance, board: FaultBoard, internalToken: string): void {
  app.post('/internal/faults/halt', async (request) => {
    const token = bearerOf(request.headers.authorization)
    if (token === undefined) throw new KlatschError('auth.required')
    if (!sameSecret(token, internalToken)) throw new KlatschError('auth.invalid_token')
    const { at } = parseInput(haltFaultsBodySchema, request.body)
    return { halted: board.halt(Date.parse(at)) }
  })
}

/** The address of this process and no other, for calls of our own services. */
export function internalUrl(config: {
  readonly HOST: string
  readonly PORT: number
  readonly OPS_PORT?: number | undefined
}): string {
  if (config.OPS_PORT !== undefined) return `http://127.0.0.1:${config.OPS_PORT}`
  const everywhere = config.HOST === '0.0.0.0' || config.HOST === '::'
  return `http://${everywhere ? hostname() : config.HOST}:${config.PORT}`
}
