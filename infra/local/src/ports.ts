import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { errorCode } from './problem.ts'

/**
 * Below the range from which the systems we run on take the ports of outgoing connections: else a client that
 * keeps trying a server that is away could be given the server's own port, and the server never come back.
 */
const LOWEST = 20_000
const HIGHEST = 32_000

/** Whether nobody listens there: `free`, `busy`, or `forbidden` (ports below 1024). */
export function probePort(port: number, host = '127.0.0.1'): Promise<'free' | 'busy' | 'forbidden'> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => {
      const code = errorCode(error)
      if (code === 'EADDRINUSE') resolve('busy')
      else if (code === 'EACCES') resolve('forbidden')
      else reject(error)
    })
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve('free')))
  })
}

/** Loopback ports on which nobody listens now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  for (let tries = 0; found.size < count; tries++) {
    if (tries > 1_000) throw new Error('no free port found on 127.0.0.1')
    const port = randomInt(LOWEST, HIGHEST)
    if (!found.has(port) && (await probePort(port)) === 'free') found.add(port)
  }
  return [...found]
}
