import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { NetworkOrder } from './network/fault.ts'
import type { NetworkRule, NetworkState } from './network/rules.ts'
import { messageOf, Problem } from './problem.ts'
import type { RestartStep } from './restart.ts'

/** Where a running stack takes orders, on loopback; in `run.json`, which its owner alone can read. */
export interface Control {
  readonly url: string
  readonly token: string
}

/** What a stack does on order, each with one answer. */
export interface StackCalls {
  'network/set'(order: NetworkOrder): Promise<NetworkRule>
  'network/state'(): Promise<NetworkState>
  /** Answers how many faults there were. */
  'network/halt'(which: { readonly rule?: number }): Promise<number>
  /** These answer the process id; null when there is none at the moment. */
  'parts/kill'(which: { readonly part: string }): number | null
  'parts/freeze'(which: { readonly part: string; readonly forMs: number }): number | null
  'parts/wake'(which: { readonly part: string }): number | null
}

/** One JSON object a line. */
type Line = { readonly step: RestartStep } | { readonly error: string } | { readonly done: true }

const BODY_BYTES = 4_096

/**
 * Takes `POST /restart` with a JSON list of parts, and answers with a line for each step, one restart at a time; and
 * `POST /<call>` with its argument, answered by `{"result"}` or `{"error"}`.
 */
export async function controlServer(
  restart: (named: readonly string[], onStep: (step: RestartStep) => void) => Promise<void>,
  calls: StackCalls,
): Promise<Control & { close(): void }> {
  const token = randomBytes(24).toString('base64url')
  let busy = false

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = request.url?.slice(1) ?? ''
    // A connection kept for the next order could be closed in the moment in which that one is on its way.
    response.shouldKeepAlive = false
    if (!allowed(request, token)) return void response.writeHead(401).end()
    if (request.method !== 'POST') return void response.writeHead(404).end()
    if (name === 'restart') return restarting(request, response)
    if (!Object.hasOwn(calls, name)) return void response.writeHead(404).end()
    const call = calls[name as keyof StackCalls] as (argument: unknown) => unknown
    const said = await bodyOf(request)
      .then(call)
      .then((result) => ({ result }))
      .catch((error: unknown) => ({ error: messageOf(error) }))
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  }

  async function restarting(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (line: Line) => response.write(`${JSON.stringify(line)}\n`)
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    try {
      if (busy) throw new Problem('A restart is under way already.')
      busy = true
      try {
        await restart(namesIn(await bodyOf(request)), (step) => say({ step }))
      } finally {
        busy = false
      }
      say({ done: true })
    } catch (error) {
      say({ error: messageOf(error) })
    }
    response.end()
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0 }, resolve)
  })
  server.unref()
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    token,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function allowed(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '')
  const expected = Buffer.from(`Bearer ${token}`)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > BODY_BYTES) throw new Problem('That order is too long.')
  }
  return JSON.parse(text)
}

function namesIn(names: unknown): string[] {
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names
  throw new Problem('A list of parts is needed.')
}
