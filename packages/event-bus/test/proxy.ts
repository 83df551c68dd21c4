import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy in front of a broker on 127.0.0.1, to cut connections at a chosen moment. */
export interface CuttingProxy {
  readonly port: number
  /** From now on the broker gets what is sent, and each connection on which it answers is cut instead. */
  swallowAnswers(): void
  /** From now on nothing goes through either way, and nobody hears of it. */
  stall(): void
  /** Passes everything on again; what is held back by a stall goes through first. */
  heal(): void
  /** Answers of the broker that were swallowed so far. */
  readonly swallowed: number
  close(): Promise<void>
}

export async function cuttingProxy(targetPort: number): Promise<CuttingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let mode: 'through' | 'swallowing' | 'stalled' = 'through'
  let swallowed = 0
  let port = 0

  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    near.on('data', (bytes) => far.write(bytes))
    far.on('data', (bytes) => {
      if (mode === 'swallowing') {
        swallowed++
        end()
      } else near.write(withPort(bytes, targetPort, port))
    })
    for (const socket of pair) {
      socket.on('error', end).on('close', end)
      if (mode === 'stalled') socket.pause()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  port = address !== null && typeof address === 'object' ? address.port : 0

  return {
    port,
    get swallowed() {
      return swallowed
    },
    swallowAnswers() {
      mode = 'swallowing'
    },
    stall() {
      mode = 'stalled'
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    heal() {
      mode = 'through'
      for (const pair of pairs) for (const socket of pair) socket.resume()
    },
    async close() {
      for (const [near] of pairs) near.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const HOST = Buffer.from('127.0.0.1')

/** The broker names its own address in answers; clients are to come back through the proxy. */
function withPort(bytes: Buffer, from: number, to: number): Buffer {
  const named = Buffer.alloc(4)
  named.writeInt32BE(from)
  const address = Buffer.concat([HOST, named])
  const changed = Buffer.from(bytes)
  for (let at = changed.indexOf(address); at >= 0; at = changed.indexOf(address, at + 1)) {
    changed.writeInt32BE(to, at + HOST.length)
  }
  return changed
}
