// The floor of delivery and of connections: a server of bare `ws` that knows rooms, passes on to the room what someone
// in it says, and sends one by one. With a backlog, it sends that to everyone who comes. BARE_PORT: where it listens.
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { serveCalls } from '../calls.ts'

/** Bytes waiting for one socket above which sending pauses. */
const MOST_WAITING = 1024 * 1024
let backlog = { frames: 0, message: Buffer.alloc(0) }
const rooms = new Map<string, Set<WebSocket>>()
const server = new WebSocketServer({
  port: Number(process.env.BARE_PORT ?? '0'),
  host: '127.0.0.1',
  backlog: 4_096,
  perMessageDeflate: false,
})
server.on('connection', (socket, request) => {
  const name = request.url ?? '/'
  const room = rooms.get(name) ?? new Set()
  rooms.set(name, room.add(socket))
  socket.on('message', (text: Buffer) => {
    for (const each of room) each.send(text, { binary: false })
  })
  for (let sent = 0; sent < backlog.frames; sent += 1) socket.send(backlog.message, { binary: false })
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

  backlog({ frames, bytes }: { frames: number; bytes: number }): void {
    backlog = { frames, message: Buffer.alloc(bytes, 'x') }
  },

  stop(): void {
    sending = false
  },
}
export type BareWsCalls = typeof calls
await new Promise((resolve) => server.once('listening', resolve))
serveCalls(calls)
