import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type HttpServer, httpServer } from './http.ts'

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log }
const servers: HttpServer[] = []
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close(AbortSignal.abort()))))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function serve(options: { port: number; opsPort?: number; says?: Promise<string> }) {
  const { says = Promise.resolve('hello'), ...ports } = options
  const server = await httpServer({
    host: '127.0.0.1',
    log,
    health: {},
    ...ports,
    routes: (app) => void app.get('/says', () => says).post('/says', () => says),
  })
  servers.push(server)
  return server
}

const statusOf = async (port: number, path: string): Promise<number | 'refused'> =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } }).then(
    (answer) => answer.status,
    () => 'refused' as const,
  )

/** Over one connection, for as long as the server keeps it. */
function get(agent: Agent, port: number, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ agent, port, path, host: '127.0.0.1' }, (answer) => {
      answer.resume().once('end', () => resolve(answer))
    })
    sent.once('error', reject)
    sent.end()
  })
}

test('without a port of its own for health, it goes on answering and says that it is not ready', async () => {
  const server = await serve({ port: 0 })
  expect(await statusOf(server.port, '/readyz')).toBe(200)
  await server.retire()
  expect(await statusOf(server.port, '/readyz')).toBe(503)
  expect(await statusOf(server.port, '/livez')).toBe(200)
  expect(await statusOf(server.port, '/says')).toBe(200)
})

test('with one, nobody is let in before it opens or after it retired, and its health is told all along', async () => {
  const [port, opsPort] = [await freePort(), await freePort()]
  const server = await serve({ port, opsPort })
  expect([await statusOf(port, '/says'), await statusOf(opsPort, '/readyz')]).toEqual(['refused', 503])
  await server.open()
  expect([await statusOf(port, '/says'), await statusOf(opsPort, '/readyz')]).toEqual([200, 200])
  expect(await statusOf(opsPort, '/says')).toBe(404)
  await server.retire()
  expect([await statusOf(port, '/says'), await statusOf(opsPort, '/readyz')]).toEqual(['refused', 503])
})

test('what comes over a connection that is there is answered, for the last time', async () => {
  const [port, opsPort] = [await freePort(), await freePort()]
  const server = await serve({ port, opsPort })
  await server.open()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  expect((await get(agent, port, '/says')).headers.connection).toBe('keep-alive')
  await server.retire()
  expect((await get(agent, port, '/says')).headers.connection).toBe('close')
  agent.destroy()
})

test('whoever reached it before the port was let go is answered, however many come in one moment', async () => {
  const [port, opsPort] = [await freePort(), await freePort()]
  const server = await serve({ port, opsPort })
  await server.open()
  const agent = new Agent()
  const answers = Array.from({ length: 50 }, () => get(agent, port, '/says'))
  // By now the kernel has let all of them in, and the loop has accepted one.
  await once(server.app.server, 'connection')
  await server.retire()
  expect((await Promise.all(answers)).map((answer) => answer.statusCode)).toEqual(Array(50).fill(200))
  expect(await statusOf(port, '/says')).toBe('refused')
})

test.each(['close', 'keep-alive'])(
  'who sends too much before they listen is told so (connection: %s)',
  async (connection) => {
    const { port } = await serve({ port: 0 })
    const length = 5_000_000
    const socket = connect(port, '127.0.0.1').pause()
    const ended = new Promise<void>((resolve, reject) => socket.once('error', reject).once('end', resolve))
    const head = [
      'POST /says HTTP/1.1',
      'host: here',
      `connection: ${connection}`,
      `content-length: ${length}`,
    ]
    head.push('content-type: application/json', '', '')
    socket.write(head.join('\r\n'))
    await Promise.race([ended, new Promise((resolve) => socket.write(Buffer.alloc(length, 'x'), resolve))])
    let answer = ''
    socket
      .setEncoding('utf8')
      .on('data', (chunk) => (answer += chunk))
      .resume()
    await expect.poll(() => answer).toMatch(/^HTTP\/1.1 413 [\s\S]*request\.too_large/)
    if (connection === 'close') await ended
    socket.destroy()
  },
)

test('a request under way is answered before it closes', async () => {
  const [port, opsPort] = [await freePort(), await freePort()]
  const { promise, resolve } = Promise.withResolvers<string>()
  const server = await serve({ port, opsPort, says: promise })
  await server.open()
  const answer = fetch(`http://127.0.0.1:${port}/says`).then((response) => response.text())
  const connected = new Promise<void>((done) => server.app.server.once('request', () => done()))
  await connected
  const closed = server.close()
  resolve('late')
  expect(await answer).toBe('late')
  await closed
})
