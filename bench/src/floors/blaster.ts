// What the load can receive at most: writes long runs of ready-made frames to every socket, and does nothing else.
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { serveCalls } from '../calls.ts'

/** Bytes of one write. */
const WRITE_BYTES = 64 * 1024
const sockets = new Set<Socket>()
const server = createServer((socket) => {
  socket.setNoDelay(true)
  socket.once('data', () => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    sockets.add(socket)
  })
  socket.on('error', () => {})
  socket.on('close', () => sockets.delete(socket))
})
server.listen(0, '127.0.0.1')

let sending = false

const calls = {
  port: (): number => (server.address() as AddressInfo).port,

  /** Frames of so many bytes, header included. */
  send({ frameBytes }: { frameBytes: number }): void {
    const frame = Buffer.alloc(frameBytes, 'x')
    frame[0] = 0x81
    frame[1] = 126
    frame.writeUInt16BE(frameBytes - 4, 2)
    const run = Buffer.concat(Array.from({ length: Math.floor(WRITE_BYTES / frameBytes) }, () => frame))
    sending = true
    const turn = () => {
      if (!sending) return
      for (const socket of sockets) if (socket.writableLength < WRITE_BYTES) socket.write(run)
      setImmediate(turn)
    }
    turn()
  },

  stop(): void {
    sending = false
  },
}
export type BlasterCalls = typeof calls
await new Promise((resolve) => server.once('listening', resolve))
serveCalls(calls)
