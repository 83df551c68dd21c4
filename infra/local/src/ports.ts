import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { createServer } from 'node:net'
import { errorCode, Problem } from './problem.ts'

/**
 * Below the range from which the systems we run on take the ports of outgoing connections: else a client that
 * keeps trying a server that is away could be given the server's own port, and the server never come back.
 */
const LOWEST = 20_000
const HIGHEST = 32_000
/** So many of the last ports given out stay claimed. */
const KEPT = 2_000
const claims: Socket[] = []

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

/**
 * Loopback ports on which nobody listens now. They are ours while this process lives, or until it took thousands more:
 * nobody else who asks here gets one of them, whether its owner does not listen yet or was killed and comes back.
 */
export async function freePorts(count: number, among = { from: LOWEST, to: HIGHEST }): Promise<number[]> {
  const found: number[] = []
  for (let tries = 0; found.length < count; tries++) {
    if (tries > 1_000) throw new Error('no free port found on 127.0.0.1')
    const port = randomInt(among.from, among.to)
    if ((await claim(port)) && (await probePort(port)) === 'free') found.push(port)
  }
  return found
}

/** The UDP port of the same number, which nobody uses, stands for a port: one process has it, and lets go when it ends. */
function claim(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', (error) => {
      socket.close()
      if (errorCode(error) === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      claims.push(socket.unref())
      if (claims.length > KEPT) claims.shift()!.close()
      resolve(true)
    })
  })
}

/** Whether several processes can listen on one port, the kernel spreading connections over them: on Linux, mostly. */
export function canSharePorts(): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port: 0, host: '127.0.0.1', reusePort: true }, () => server.close(() => resolve(true)))
  })
}
