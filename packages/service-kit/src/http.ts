import { timingSafeEqual } from 'node:crypto'
import { Server } from 'node:net'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, errorCodes, firstIssue, KlatschError, type Problem } from '@klatsch/contracts'
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { collectDefaultMetrics, register } from 'prom-client'
import { ZodError, type ZodType, type z } from 'zod'
import type { Closable } from './lifecycle.ts'
import type { Log } from './log.ts'

/** A part's state as `/health` shows it. `ok: false` makes the service not ready; `dead` makes it not live. */
export interface PartHealth {
  readonly ok: boolean
  readonly dead?: boolean
  readonly detail?: string
}
export type HealthChecks = Readonly<Record<string, () => PartHealth | Promise<PartHealth>>>

/**
 * The health of a consumer by its state: not ready while it starts or struggles for long, not live once it stopped.
 */
export function consumerHealth(consumer: {
  readonly state:
    | { readonly kind: 'starting' | 'running' }
    | { readonly kind: 'struggling'; readonly since: Date; readonly reason: string }
    | { readonly kind: 'stopped'; readonly reason: string }
  readonly lag: number | undefined
}): PartHealth {
  const { state, lag } = consumer
  switch (state.kind) {
    case 'starting':
      return { ok: false, detail: 'joining its group' }
    case 'running':
      return { ok: true, ...(lag === undefined ? {} : { detail: `lag ${lag}` }) }
    case 'struggling':
      return { ok: Date.now() - state.since.getTime() < STRUGGLING_MS, detail: state.reason }
    case 'stopped':
      return { ok: false, dead: true, detail: state.reason }
  }
}

export interface HttpServer extends Closable {
  /** Where it listens; 0 while it does not. */
  readonly port: number
  readonly app: FastifyInstance
  /** Listens, if it does not yet: with a port of its own for those who look after it, it does not before it is told. */
  open(): Promise<void>
  /**
   * From now on not ready. With a port of its own for those who look after it, the other one is let go, for a
   * successor that shares it or for a proxy that then tries elsewhere: once this is done, nobody new comes. What comes
   * over connections that are there is answered, each for the last time.
   */
  retire(): Promise<void>
}

const ACCEPT_BACKLOG = 4_096
const CHECK_MS = 2_000
/** So long a consumer may meet passing faults and still count as ready. */
const STRUGGLING_MS = 10_000
const BODY_BYTES = 64 * 1024
/** So long those who keep a connection open may take to hear that it was used for the last time. */
const LAST_REQUESTS_MS = 1_000
/** A listening that is about to end looks so long at most for a turn of the loop that was as short as this. */
const LAST_ACCEPTS_MS = 500
const SHORT_TURN_MS = 0.5
const LOOPBACK = '127.0.0.1'

/** The same words for the same code everywhere; `detail` says what is special about this case. */
export function problemOf(error: KlatschError): Problem {
  const { status, title } = errorCodes[error.code]
  return {
    type: 'about:blank',
    title,
    status,
    code: error.code,
    detail: error.message,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  }
}

export function sendProblem(reply: FastifyReply, error: KlatschError): FastifyReply {
  const problem = problemOf(error)
  if (error.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(error.retryAfterMs / 1_000))
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

const byFastifyCode: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'request.too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'request.unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'request.invalid',
  FST_ERR_CTP_INVALID_JSON_BODY: 'request.invalid',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'request.invalid',
}

/** Any thrown thing as an error with a stable code; what was not foreseen becomes `server.internal`. */
export function toKlatschError(error: unknown): KlatschError {
  if (error instanceof KlatschError) return error
  if (error instanceof ZodError) return new KlatschError('request.invalid', firstIssue(error))
  const { code, statusCode } = error as Partial<FastifyError>
  const known = code ? byFastifyCode[code] : undefined
  if (known) return new KlatschError(known, undefined, { cause: error })
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new KlatschError('request.invalid', undefined, { cause: error })
  }
  return new KlatschError('server.internal', undefined, { cause: error })
}

/** Checks input against a schema of the contracts. @throws KlatschError `request.invalid` with the first issue. */
export function parseInput<S extends ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(input, { reportInput: false })
  if (!parsed.success) throw new KlatschError('request.invalid', firstIssue(parsed.error))
  return parsed.data
}

export function bearerOf(authorization: string | undefined): string | undefined {
  const match = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '')
  return match?.[1]
}

/** Compares secrets without telling by the time it takes how much of them was right. */
export function sameSecret(given: string, expected: string): boolean {
  const a = Buffer.from(given)
  const b = Buffer.from(expected)
  return a.length === b.length && timingSafeEqual(a, b)
}

export function nothingHere(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendProblem(reply, new KlatschError('request.not_found'))
}

async function runChecks(checks: HealthChecks): Promise<Record<string, PartHealth>> {
  const entries = Object.entries(checks).map(async ([name, check]): Promise<[string, PartHealth]> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<PartHealth>((resolve) => {
      timer = setTimeout(() => resolve({ ok: false, detail: 'no answer in time' }), CHECK_MS)
    })
    try {
      return [name, await Promise.race([check(), late])]
    } catch {
      return [name, { ok: false, detail: 'check failed' }]
    } finally {
      clearTimeout(timer)
    }
  })
  return Object.fromEntries(await Promise.all(entries))
}

/**
 * Ends the listening only: the close of an HTTP server would also cut connections that happen to be idle, on which a
 * request may be on its way. The kernel cuts those that it let in and the process did not accept yet, and a turn of the
 * loop accepts one of them; so it ends after a turn in which nobody was left, and one that was short, since some more may
 * have come in it.
 */
function endListening(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const latest = performance.now() + LAST_ACCEPTS_MS
  let came = 0
  const count = () => {
    came += 1
  }
  server.on('connection', count)
  function afterTurn(began: number): void {
    const now = performance.now()
    const quiet = came === 0 && now - began < SHORT_TURN_MS
    if (server.listening && !quiet && now < latest) {
      came = 0
      setImmediate(afterTurn, now)
      return
    }
    server.off('connection', count)
    if (server.listening) Server.prototype.close.call(server)
    resolve()
  }
  // The turn under way may be past its accept: the next is the first to be looked at.
  setImmediate(() => setImmediate(afterTurn, performance.now()))
  return promise
}

/** What every service shows to those who look after it. */
function healthRoutes(app: FastifyInstance, checks: () => Promise<Record<string, PartHealth>>): void {
  app.get('/livez', async (_request, reply) => {
    const dead = Object.values(await checks()).some((part) => part.dead)
    return reply.code(dead ? 503 : 200).send({ ok: !dead })
  })
  app.get('/readyz', async (_request, reply) => {
    const ok = Object.values(await checks()).every((part) => part.ok)
    return reply.code(ok ? 200 : 503).send({ ok })
  })
  app.get('/health', async () => {
    const parts = await checks()
    return { ok: Object.values(parts).every((part) => part.ok), parts }
  })
  app.get('/metrics', async (_request, reply) =>
    reply.type(register.contentType).send(await register.metrics()),
  )
}

/**
 * An HTTP server with what every service has: `/livez`, `/readyz`, `/health`, `/metrics`, problems (RFC 9457) for
 * every error, bodies of 64 KB at most. With `opsPort` these answer there from now on, and the port for everyone is
 * listened on at `open`, so that whoever shares it gets nothing before its time; without it, at once.
 */
export async function httpServer(options: {
  host: string
  port: number
  /** Health and metrics also here, on loopback, for as long as the process lives. */
  opsPort?: number | undefined
  /** Share the port with whoever else of this user does so: the kernel spreads connections over them. */
  reusePort?: boolean
  log: Log
  health: HealthChecks
  routes: (app: FastifyInstance) => Promise<void> | void
  /** Calls meant for this very process: on `opsPort`, where there is one. */
  ownRoutes?: (app: FastifyInstance) => unknown
  /** Answers what no route takes; a problem when absent. */
  notFound?: (request: FastifyRequest, reply: FastifyReply) => FastifyReply
}): Promise<HttpServer> {
  const { log, host, port, opsPort, reusePort = false } = options
  let life: 'starting' | 'open' | 'retired' = 'starting'
  let letGo = Promise.resolve()
  const checks = async (): Promise<Record<string, PartHealth>> => ({
    ...(life === 'open' ? {} : { process: { ok: false, detail: life } }),
    ...(await runChecks(options.health)),
  })
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: 30_000,
    connectionTimeout: 60_000,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
    // An address that cannot be decoded, or with a part longer than any name of ours.
    frameworkErrors: (_error, _request, reply) => sendProblem(reply, new KlatschError('request.not_found')),
  })
  // JSON is all that is taken; by default text would be, too.
  app.removeContentTypeParser('text/plain')
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = toKlatschError(thrown)
    if (error.code === 'server.internal')
      log.error({ err: thrown, method: request.method, route: request.routeOptions.url }, 'request failed')
    // Closed at once, the connection would take the answer with it while the body is still being sent (a proxy makes a
    // 502 of that). The rest is read and thrown away, for as long as a request may take; first, where the
    // connection ends with the answer.
    if (!request.raw.complete) {
      reply.removeHeader('connection')
      request.raw.resume()
      if (!reply.raw.shouldKeepAlive || life === 'retired')
        await finished(request.raw, { writable: false }).catch(() => {})
    }
    return sendProblem(reply, error)
  })
  app.setNotFoundHandler(
    options.notFound ?? ((_request, reply) => sendProblem(reply, new KlatschError('request.not_found'))),
  )
  app.addHook('onSend', async (_request, reply) => {
    if (life === 'retired') reply.header('connection', 'close')
  })
  if (register.getMetricsAsArray().length === 0) collectDefaultMetrics()
  healthRoutes(app, checks)
  await options.routes(app)
  const ops = opsPort === undefined ? undefined : fastify({ logger: false, forceCloseConnections: true })
  ops?.setErrorHandler((thrown, _request, reply) => sendProblem(reply, toKlatschError(thrown)))
  options.ownRoutes?.(ops ?? app)
  if (ops) {
    healthRoutes(ops, checks)
    await ops.listen({ host: LOOPBACK, port: opsPort! })
  }

  async function open(): Promise<void> {
    if (life !== 'starting') return
    // A herd that comes back in one moment would not fit in Node's own 511, and be told to come again after a second.
    const where = { host, port, reusePort, backlog: ACCEPT_BACKLOG }
    await app.listen(where)
    life = 'open'
  }

  function retire(): Promise<void> {
    if (ops && life === 'open') letGo = endListening(app.server)
    life = 'retired'
    return letGo
  }

  const connections = () => new Promise<number>((resolve) => app.server.getConnections((_, n) => resolve(n)))

  if (!ops) await open()
  return {
    app,
    get port() {
      const address = app.server.address()
      return typeof address === 'object' && address ? address.port : 0
    },
    open,
    retire,
    async close(hurry) {
      await retire()
      for (const end = Date.now() + LAST_REQUESTS_MS; ops && Date.now() < end; ) {
        if (hurry?.aborted || (await connections()) === 0) break
        await sleep(20, undefined, { signal: hurry }).catch(() => {})
      }
      await app.close()
      await ops?.close()
    },
  }
}
