// The floor of delivery and of idle connections: a server of bare `ws` that knows rooms and sends one by one.
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { serveCalls } from '../calls.ts'

/** Bytes waiting for one socket above which sending pauses. */
const MOST_WAITING = 1024 * 1024
const rooms = new Map<string, Set<WebSocket>>()
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('connection', (socket, request) => {
  const name = request.url ?? '/'
  const room = rooms.get(name) ?? new Set()
  rooms.set(name, room.add(socket))
  socket.on('message', () => {})
  socket.on('close', () => room.delete(socket))
})

let sending = false

const calls = {
  port: (): number => (server.address() as AddressInfo).port,

  /** Sends a message of so many bytes to room after room, as fast as the sockets take it, until `stop`. */
  send({ bytes }: { bytes: number }): void {
    const message = Buffer.alloc(bytes, 'x')
    sending = true
    const all = [...rooms.values()]
    let next = 0
    const turn = () => {
      if (!sending) return
      for (let budget = 1_000; budget > 0; ) {
        const room = all[next++ % all.length]!
        for (const socket of room) {
          if (socket.bufferedAmount > MOST_WAITING) {
            next -= 1
            budget = 0
            break
          }
        }
        if (budget === 0) break
        for (const socket of room) socket.send(message, { binary: false })
        budget -= room.size
      }
      setImmediate(turn)
    }
    turn()
  },

  stop(): void {
    sending = false
  },
}
export type BareWsCalls = typeof calls
await new Promise((resolve) => server.once('listening', resolve))
serveCalls(calls)
