import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { messageOf, Problem } from './problem.ts'
import type { RestartStep } from './restart.ts'

/** Where a running stack takes orders, on loopback; in `run.json`, which its owner alone can read. */
export interface Control {
  readonly url: string
  readonly token: string
}

/** One JSON object a line. */
type Line = { readonly step: RestartStep } | { readonly error: string } | { readonly done: true }

const BODY_BYTES = 4_096

/** Takes `POST /restart` with a JSON list of parts, and answers with a line for each step. One restart at a time. */
export async function controlServer(
  restart: (named: readonly string[], onStep: (step: RestartStep) => void) => Promise<void>,
): Promise<Control & { close(): void }> {
  const token = randomBytes(24).toString('base64url')
  let busy = false

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!allowed(request, token)) return void response.writeHead(401).end()
    if (request.method !== 'POST' || request.url !== '/restart') return void response.writeHead(404).end()
    const say = (line: Line) => response.write(`${JSON.stringify(line)}\n`)
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    try {
      if (busy) throw new Problem('A restart is under way already.')
      busy = true
      try {
        await restart(await namesIn(request), (step) => say({ step }))
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

async function namesIn(request: IncomingMessage): Promise<string[]> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > BODY_BYTES) throw new Problem('That list is too long.')
  }
  const names: unknown = JSON.parse(text)
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names
  throw new Problem('A list of parts is needed.')
}

/** Has a running stack restart these parts, all when none is named. @throws Problem with its reason when it fails. */
export async function askToRestart(
  { url, token }: Control,
  named: readonly string[],
  onStep: (step: RestartStep) => void,
): Promise<void> {
  const response = await fetch(`${url}/restart`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(named),
  }).catch((cause: unknown) => {
    throw new Problem(`The stack does not answer at ${url}. Is it still running?`, { cause })
  })
  if (!response.ok || !response.body) throw new Problem(`The stack refused (${response.status}).`)
  let rest = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const text of lines) {
      const line: Line = JSON.parse(text)
      if ('step' in line) onStep(line.step)
      else if ('error' in line) throw new Problem(line.error)
      else return
    }
  }
  throw new Problem('The stack ended in the middle of the restart.')
}
