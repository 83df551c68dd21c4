import { connect, createServer, type Socket } from 'node:net'
import { seededRandom } from '@klatsch/streams/simulation'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type FaultyProxy, startFaultyProxy } from './proxy.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})

/** A server behind a proxy that says back what it hears. */
async function echoBehindProxy(): Promise<FaultyProxy & { readonly heard: () => string }> {
  const sockets = new Set<Socket>()
  let heard = ''
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      heard += data
    })
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const proxy = await startFaultyProxy({ target: { host: '127.0.0.1', port }, random: seededRandom(1) })
  closers.push(
    () => proxy.close(),
    () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    },
  )
  return Object.assign(proxy, { heard: () => heard })
}

function dial(proxy: FaultyProxy) {
  const socket = connect(proxy.port, '127.0.0.1')
  let received = ''
  let error: string | undefined
  socket.on('data', (data) => {
    received += data
  })
  socket.on('error', (cause: NodeJS.ErrnoException) => {
    error = cause.code
  })
  closers.push(async () => socket.destroy())
  const arrives = (text: string) =>
    vi.waitFor(() => expect(received).toBe(text), { timeout: 5_000, interval: 5 })
  return {
    socket,
    get received() {
      return received
    },
    get error() {
      return error
    },
    arrives,
    /** Sends, and waits until it all came back. */
    async echo(text: string) {
      const expected = received + text
      socket.write(text)
      await arrives(expected)
    },
    closed: new Promise<void>((resolve) => socket.once('close', () => resolve())),
  }
}

test('passes everything both ways, in order, and the end of it', async () => {
  const proxy = await echoBehindProxy()
  const line = dial(proxy)
  await line.echo('x'.repeat(1_000_000))
  await line.echo('end')
  line.socket.end()
  await line.closed
  expect(line.error).toBeUndefined()
  await vi.waitFor(() => expect(proxy.connections).toBe(0))
})

describe('cut', () => {
  test('everybody is told, also who comes meanwhile', async () => {
    const proxy = await echoBehindProxy()
    const [line, other] = [dial(proxy), dial(proxy)]
    await Promise.all([line.echo('x'), other.echo('y')])
    proxy.set({ kind: 'cut' })
    await Promise.all([line.closed, other.closed])
    expect([line.error, proxy.connections, proxy.counts.cut]).toEqual(['ECONNRESET', 0, 2])
    const refused = dial(proxy)
    await refused.closed
    expect([refused.error, proxy.counts.cut, proxy.accepted]).toEqual(['ECONNRESET', 3, 3])
    proxy.set(undefined)
    await dial(proxy).echo('well')
  })

  test('of one connection leaves the others alone', async () => {
    const proxy = await echoBehindProxy()
    const lines = [dial(proxy), dial(proxy)]
    await Promise.all(lines.map((line) => line.echo('x')))
    expect(proxy.strike({ kind: 'cut' })).toBe(1)
    await Promise.race(lines.map(({ closed }) => closed))
    expect([proxy.connections, proxy.counts.cut]).toEqual([1, 1])
  })
})

describe('half-open', () => {
  test('nothing arrives, and nobody is told; afterwards what lost something is reset, and the rest is well', async () => {
    const proxy = await echoBehindProxy()
    const [line, silent] = [dial(proxy), dial(proxy)]
    await Promise.all([line.echo('x'), silent.echo('y')])
    proxy.set({ kind: 'half-open' })
    line.socket.write('lost')
    const newcomer = dial(proxy)
    newcomer.socket.write('lost, too')
    await vi.waitFor(() => expect(proxy.losers).toBe(2), { timeout: 5_000, interval: 5 })
    expect([line.received, line.socket.destroyed, newcomer.error]).toEqual(['x', false, undefined])
    expect(proxy.counts['half-open']).toBe(3)
    proxy.calm()
    await Promise.all([line.closed, newcomer.closed])
    await silent.echo('still here')
    expect(proxy.heard()).not.toContain('lost')
  })

  test('who goes away meanwhile is not missed until it is over', async () => {
    const proxy = await echoBehindProxy()
    const line = dial(proxy)
    await line.echo('x')
    proxy.set({ kind: 'half-open' })
    line.socket.end()
    await new Promise((resolve) => line.socket.once('finish', resolve))
    expect(proxy.connections).toBe(1)
    proxy.set(undefined)
    await vi.waitFor(() => expect(proxy.connections).toBe(0))
  })
})

test('stall: nothing passes until it is over, and then all of it, the end as well', async () => {
  const proxy = await echoBehindProxy()
  const line = dial(proxy)
  await line.echo('x')
  proxy.set({ kind: 'stall' })
  line.socket.end('later')
  await new Promise((resolve) => line.socket.once('finish', resolve))
  expect(line.received).toBe('x')
  proxy.set(undefined)
  await line.arrives('xlater')
  await line.closed
  expect(line.error).toBeUndefined()
})

test('lost-answers: what is asked arrives, and a reset comes instead of the answer', async () => {
  const proxy = await echoBehindProxy()
  const line = dial(proxy)
  await line.echo('x')
  proxy.set({ kind: 'lost-answers' })
  line.socket.write('arrives')
  await line.closed
  expect([line.received, line.error, proxy.heard(), proxy.counts['lost-answers']]).toEqual([
    'x',
    'ECONNRESET',
    'xarrives',
    1,
  ])
})

describe('slow', () => {
  const since = (then: number) => performance.now() - then

  test('latency is not paid for each piece: what is said at once arrives together, and later', async () => {
    const proxy = await echoBehindProxy()
    const line = dial(proxy)
    await line.echo('x')
    proxy.set({ kind: 'slow', latencyMs: 60, jitterMs: 20 })
    const then = performance.now()
    for (let i = 0; i < 100; i += 1) line.socket.write(`piece ${i}, `)
    await vi.waitFor(() => expect(line.received).toContain('piece 99'), { timeout: 5_000, interval: 5 })
    expect(since(then)).toBeGreaterThan(119)
    // A hundred times the latency, were it paid piece by piece; a machine may be slow, but not that slow.
    expect(since(then)).toBeLessThan(5_000)
    expect(line.received).toBe(`x${Array.from({ length: 100 }, (_, i) => `piece ${i}, `).join('')}`)
  })

  test('jitter is by the seed, and changes no order', async () => {
    const proxy = await echoBehindProxy()
    const draws: number[] = []
    const random = seededRandom(7)
    proxy.set({ kind: 'slow', latencyMs: 1, jitterMs: 30 }, () => {
      draws.push(random())
      return draws.at(-1)!
    })
    await dial(proxy).echo('abc')
    const again = seededRandom(7)
    expect(draws.length).toBeGreaterThan(0)
    expect(draws).toEqual(draws.map(() => again()))
  })

  test('bandwidth: no more than so much a second, and whole', async () => {
    const proxy = await echoBehindProxy()
    const line = dial(proxy)
    await line.echo('x')
    proxy.set({ kind: 'slow', latencyMs: 0, jitterMs: 0, bytesPerSecond: 100_000 })
    const then = performance.now()
    await line.echo('z'.repeat(20_000))
    expect(since(then)).toBeGreaterThan(150)
  })

  test('what waits goes at once when it is over', async () => {
    const proxy = await echoBehindProxy()
    const line = dial(proxy)
    await line.echo('x')
    proxy.set({ kind: 'slow', latencyMs: 60_000, jitterMs: 0 })
    line.socket.write('late')
    await new Promise((resolve) => line.socket.write('r', resolve))
    proxy.set(undefined)
    await line.arrives('xlater')
  })
})

test('a target that is away: the connection is reset', async () => {
  const proxy = await startFaultyProxy({ target: { host: '127.0.0.1', port: 1 }, random: seededRandom(1) })
  closers.push(() => proxy.close())
  await dial(proxy).closed
})
