import { connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { seededRandom } from '../random.ts'
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})

/** An echo server behind a proxy. */
async function echoBehindProxy(): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  const proxy = await startCuttingProxy({
    target: { host: '127.0.0.1', port: address.port },
    random: seededRandom(1),
  })
  closers.push(
    () => proxy.close(),
    () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    },
  )
  return proxy
}

function dial(proxy: CuttingProxy) {
  const socket = connect(proxy.port, '127.0.0.1')
  let received = ''
  socket.on('data', (data) => {
    received += data
  })
  socket.on('error', () => {})
  closers.push(async () => socket.destroy())
  return {
    socket,
    get received() {
      return received
    },
    /** Sends and waits until it all came back. */
    async echo(text: string) {
      const expected = received + text
      socket.write(text)
      await expect.poll(() => received, { interval: 5, timeout: 5_000 }).toBe(expected)
    },
    closed: new Promise<void>((resolve) => socket.once('close', () => resolve())),
  }
}

test('passes everything both ways, in order', async () => {
  const proxy = await echoBehindProxy()
  const line = dial(proxy)
  await line.echo('x'.repeat(1_000_000))
  await line.echo('end')
})

test('cut: both ends are told', async () => {
  const proxy = await echoBehindProxy()
  const line = dial(proxy)
  await line.echo('x')
  expect(proxy.strike({ kind: 'cut' })).toBe(1)
  await line.closed
  expect(proxy.connections).toBe(0)
})

test('half-open: nothing passes, and nobody is told, until it is calm again', async () => {
  const proxy = await echoBehindProxy()
  const [line, other] = [dial(proxy), dial(proxy)]
  await Promise.all([line.echo('x'), other.echo('y')])
  proxy.strike({ kind: 'half-open' }, 'all')
  line.socket.write('lost')
  await dial(proxy).echo('a new connection is well')
  expect([line.received, line.socket.destroyed]).toEqual(['x', false])
  proxy.calm()
  await line.closed
})

test('delay and narrow: late, but whole', async () => {
  const proxy = await echoBehindProxy()
  const line = dial(proxy)
  await line.echo('x')
  proxy.strike({ kind: 'delay', ms: 60 })
  const before = performance.now()
  await line.echo('late')
  expect(performance.now() - before).toBeGreaterThan(100)
  proxy.strike({ kind: 'narrow', bytesPerSecond: 100_000 })
  const then = performance.now()
  await line.echo('z'.repeat(10_000))
  expect(performance.now() - then).toBeGreaterThan(150)
})

test('a target that is away: the connection ends', async () => {
  const proxy = await startCuttingProxy({ target: { host: '127.0.0.1', port: 1 }, random: seededRandom(1) })
  closers.push(() => proxy.close())
  await dial(proxy).closed
})
