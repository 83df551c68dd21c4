// What patches/README.md says of kafkajs' network/connection.
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { expect, test } from 'vitest'

interface Answer {
  readonly correlationId: number
  readonly payload: Buffer
}

/** What is used here of a class that kafkajs keeps to itself. */
interface Connection {
  readonly requestQueue: { fulfillRequest: (answer: Answer) => void }
  connect(): Promise<unknown>
  disconnect(): Promise<unknown>
  isConnected(): boolean
}
const KafkaConnection: new (options: object) => Connection = createRequire(import.meta.url)(
  'kafkajs/src/network/connection',
)

/** As a broker frames it: its length, the correlation id, four bytes of answer. */
function answer(correlationId: number): Buffer {
  const frame = Buffer.alloc(12)
  frame.writeInt32BE(8, 0)
  frame.writeInt32BE(correlationId, 4)
  return frame
}

test('what a socket left half said, or says late, that it is connected or that it ends, does not disturb the one that took its place', async () => {
  const sockets: Socket[] = []
  const connected: (() => void)[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => sockets.push(socket.resume()))
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const logger = { namespace: () => logger, debug() {}, error() {} }
  const connection = new KafkaConnection({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    logger,
    connectionTimeout: 5_000,
    requestTimeout: 5_000,
    socketFactory: ({ host, port, onConnect }: { host: string; port: number; onConnect: () => void }) => {
      connected.push(onConnect)
      return dial({ host, port }, onConnect)
    },
  })
  const answers: number[] = []
  connection.requestQueue.fulfillRequest = ({ correlationId }) => answers.push(correlationId)
  try {
    await connection.connect()
    await expect.poll(() => sockets.length).toBe(1)
    sockets[0]!.write(Buffer.concat([answer(1), answer(2).subarray(0, 6)]))
    await expect.poll(() => answers).toEqual([1])
    await connection.disconnect()

    const again = connection.connect()
    connected[0]!()
    expect(connection.isConnected()).toBe(false)
    await again
    await expect.poll(() => sockets.length).toBe(2)
    sockets[1]!.write(answer(3).subarray(0, 7))
    sockets[0]!.end(Buffer.concat([answer(2).subarray(6), answer(4)]))
    await new Promise((resolve) => sockets[0]!.once('close', resolve))
    sockets[1]!.write(answer(3).subarray(7))
    await expect.poll(() => answers).toEqual([1, 3])
  } finally {
    await connection.disconnect()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
})
