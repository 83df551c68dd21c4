import { connect, createServer, type Socket } from 'node:net'

export interface Cuttable {
  readonly url: string
  /** Connections that were begun so far. */
  readonly tries: number
  /** Ends every connection, and every new one at once. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

/** A line to a server that can be cut and mended: what a train does to a phone. */
export async function cuttable(port: number): Promise<Cuttable> {
  const sockets = new Set<Socket>()
  let whole = true
  let tries = 0
  const server = createServer((near) => {
    tries += 1
    if (!whole) {
      near.destroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    get tries() {
      return tries
    },
    url: `http://127.0.0.1:${address.port}`,
    cut() {
      whole = false
      drop()
    },
    mend() {
      whole = true
    },
    async close() {
      drop()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
