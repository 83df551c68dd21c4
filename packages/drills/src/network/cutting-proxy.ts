import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { pause, systemScheduler } from '@klatsch/streams'
import { pick } from '../random.ts'

export interface CuttingProxyOptions {
  readonly target: { readonly host: string; readonly port: number }
  readonly random: () => number
  /** Something happens to one connection about this often; never when absent. */
  readonly everyMs?: number
}

/** What the proxy can do to one connection. */
export type Mishap =
  /** Both ends are closed with a reset. */
  | { readonly kind: 'cut' }
  /** Nothing passes any more, and neither end is told. */
  | { readonly kind: 'half-open' }
  /** Every chunk comes so much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** No more than so many bytes a second each way. */
  | { readonly kind: 'narrow'; readonly bytesPerSecond: number }

export interface CuttingProxy {
  readonly port: number
  readonly connections: number
  /** How often each thing was done. */
  readonly counts: Readonly<Record<Mishap['kind'], number>>
  /** To one connection by chance, or to all. Answers to how many. */
  strike(mishap: Mishap, whom?: 'one' | 'all'): number
  /** From now on nothing happens any more; connections that were spoilt are cut, so that all can be well. */
  calm(): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  mishap: Mishap | undefined
}

const CHUNK_BYTES = 64 * 1_024

/** A TCP proxy on loopback that spoils connections, by chance (seeded by whoever gives it) or on demand. */
export async function startCuttingProxy(options: CuttingProxyOptions): Promise<CuttingProxy> {
  const { random, target } = options
  const pairs = new Set<Pair>()
  const counts: Record<Mishap['kind'], number> = { cut: 0, 'half-open': 0, delay: 0, narrow: 0 }
  const closing = new AbortController()
  let spoiling = options.everyMs !== undefined

  const server = createServer((client) => {
    const upstream = tcpConnect(target.port, target.host)
    const pair: Pair = { client, server: upstream, mishap: undefined }
    pairs.add(pair)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.setNoDelay(true)
      from.on('error', () => end(pair))
      from.on('close', () => {
        if (pair.mishap?.kind !== 'half-open') end(pair)
      })
      void pass(from, to, pair)
    }
  })

  /** Hands on what comes, in order, as slowly as the connection is by now. */
  async function pass(from: Socket, to: Socket, pair: Pair): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
          const part = chunk.subarray(at, at + CHUNK_BYTES)
          if (pair.mishap?.kind === 'delay') await pause(systemScheduler, pair.mishap.ms, closing.signal)
          if (pair.mishap?.kind === 'narrow') {
            await pause(systemScheduler, (part.length / pair.mishap.bytesPerSecond) * 1_000, closing.signal)
          }
          if (pair.mishap?.kind === 'half-open' || to.destroyed) continue
          if (!to.write(part)) await new Promise<void>((resolve) => drained(to, resolve))
        }
      }
      if (pair.mishap?.kind !== 'half-open') to.end()
    } catch {
      end(pair)
    }
  }

  function end(pair: Pair): void {
    pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }

  function spoil(pair: Pair, mishap: Mishap): void {
    counts[mishap.kind] += 1
    if (mishap.kind === 'cut') {
      pairs.delete(pair)
      pair.client.resetAndDestroy()
      pair.server.resetAndDestroy()
    } else {
      pair.mishap = mishap
    }
  }

  function strike(mishap: Mishap, whom: 'one' | 'all' = 'one'): number {
    const all = [...pairs]
    const struck = whom === 'all' || all.length === 0 ? all : [pick(random, all)]
    for (const pair of struck) spoil(pair, mishap)
    return struck.length
  }

  async function keepSpoiling(everyMs: number): Promise<void> {
    while (spoiling) {
      await pause(systemScheduler, everyMs * (0.5 + random()), closing.signal)
      if (spoiling) strike(anyMishap(random))
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  if (options.everyMs !== undefined) void keepSpoiling(options.everyMs)

  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    get connections() {
      return pairs.size
    },
    counts,
    strike,
    calm() {
      spoiling = false
      for (const pair of [...pairs]) if (pair.mishap) end(pair)
    },
    async close() {
      spoiling = false
      closing.abort()
      for (const pair of [...pairs]) end(pair)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Cuts most of the time; sometimes what is harder to notice. */
function anyMishap(random: () => number): Mishap {
  const chance = random()
  if (chance < 0.6) return { kind: 'cut' }
  if (chance < 0.75) return { kind: 'half-open' }
  if (chance < 0.9) return { kind: 'delay', ms: 50 + random() * 450 }
  return { kind: 'narrow', bytesPerSecond: 5_000 + random() * 50_000 }
}

function drained(socket: Socket, resume: () => void): void {
  const done = () => {
    socket.off('drain', done)
    socket.off('close', done)
    resume()
  }
  socket.on('drain', done)
  socket.on('close', done)
}
