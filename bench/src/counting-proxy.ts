import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands before an HTTP server and counts what it is asked. */
export async function countingProxy(target: string): Promise<{
  readonly url: string
  readonly count: number
  close(): Promise<void>
}> {
  const agent = new Agent({ keepAlive: true })
  let count = 0
  const server = createServer((incoming, outgoing) => {
    count += 1
    const { method, headers } = incoming
    const passedOn = request(new URL(incoming.url ?? '/', target), { method, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    passedOn.on('error', () => outgoing.destroy())
    incoming.pipe(passedOn)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get count() {
      return count
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      agent.destroy()
    },
  }
}
