import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { errorCode, Problem } from './problem.ts'

/**
 * Below the range from which the systems we run on take the ports of outgoing connections: else a client that
 * keeps trying a server that is away could be given the server's own port, and the server never come back.
 */
const LOWEST = 20_000
const HIGHEST = 32_000
/** So many of the last ports given out are not given again: whoever got one may not listen on it yet. */
const KEPT = 2_000
const given = new Set<number>()

/** Resolves when the port can be listened on. @throws Problem that says why it cannot. */
export async function requirePort(port: number, host: string): Promise<void> {
  switch (await probePort(port, host)) {
    case 'free':
      return
    case 'busy':
      throw new Problem(
        `Port ${port} is taken by another program. Take another one: PORT=${port + 1} npm start`,
      )
    case 'forbidden':
      throw new Problem(`Port ${port} may not be used by you. Take one above 1023: PORT=8080 npm start`)
    case 'elsewhere':
      throw new Problem(
        `HOST is "${host}", which is no address of this machine. Take HOST=127.0.0.1, or HOST=0.0.0.0.`,
      )
  }
}

/** What listening on that port would meet: another listener, a refusal (ports below 1024), an address not ours. */
export function probePort(
  port: number,
  host = '127.0.0.1',
): Promise<'free' | 'busy' | 'forbidden' | 'elsewhere'> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => {
      const code = errorCode(error)
      if (code === 'EADDRINUSE') resolve('busy')
      else if (code === 'EACCES') resolve('forbidden')
      else if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') resolve('elsewhere')
      else reject(error)
    })
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve('free')))
  })
}

/** Loopback ports on which nobody listens now, none of them given out by this process lately. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  for (let tries = 0; found.length < count; tries++) {
    if (tries > 1_000) throw new Error('no free port found on 127.0.0.1')
    const port = randomInt(LOWEST, HIGHEST)
    if (given.has(port)) continue
    given.add(port)
    if (given.size > KEPT) given.delete(given.values().next().value!)
    if ((await probePort(port)) === 'free') found.push(port)
  }
  return found
}

/** Whether several processes can listen on one port, the kernel spreading connections over them: on Linux, mostly. */
export function canSharePorts(): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port: 0, host: '127.0.0.1', reusePort: true }, () => server.close(() => resolve(true)))
  })
}
