import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { closeCodes, errorCodes, limits, SUBPROTOCOL } from '@klatsch/contracts'
import type { Closable } from '@klatsch/service-kit'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Connections } from '../connections/connections.ts'
import type { Transport } from '../connections/context.ts'
import { originAllowed } from '../domain/origin.ts'

const CLOSE_GRACE_MS = 5_000

/** Takes WebSockets at `/ws` once `ready` says so: before its position in the log is fixed, it could miss events. */
export function acceptSockets(options: {
  server: Server
  connections: Connections
  allowedOrigins: readonly string[]
  ready: () => boolean
  warn: (fields: object, message: string) => void
}): Closable {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  })

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', destroy)
    if (new URL(request.url ?? '/', 'http://gateway').pathname !== '/ws') {
      refuse(socket, 404, 'request.not_found')
    } else if (!originAllowed(request.headers.origin, request.headers.host, options.allowedOrigins)) {
      refuse(socket, 403, 'auth.origin_not_allowed')
    } else if (!options.ready()) {
      refuse(socket, 503, 'server.unavailable')
    } else {
      sockets.handleUpgrade(request, socket, head, (ws) => serve(ws, socket))
    }
  }

  function serve(ws: WebSocket, socket: Duplex): void {
    const connection = options.connections.add(new SocketTransport(ws, socket))
    ws.on('message', (data: Buffer, binary: boolean) => {
      if (binary) {
        connection.close(closeCodes.notAFrame, 'frames are text')
        return
      }
      try {
        connection.receive(data.toString())
      } catch (error) {
        options.warn({ err: error }, 'a frame could not be handled')
        connection.close(1011, 'server.internal')
      }
    })
    ws.on('pong', () => connection.heard())
    ws.on('error', ignore)
    ws.on('close', () => options.connections.remove(connection))
    socket.on('drain', () => connection.drained())
  }

  options.server.on('upgrade', upgrade)
  return {
    close() {
      options.server.off('upgrade', upgrade)
      sockets.close()
    },
  }
}

function destroy(this: Duplex): void {
  this.destroy()
}

/** Its `close` comes next. */
function ignore(): void {}

function refuse(socket: Duplex, status: number, code: keyof typeof errorCodes): void {
  const body = JSON.stringify({ type: 'about:blank', status, code, title: errorCodes[code].title })
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

/** Frames are complete and the same for many sockets, so they go to the stream itself, past the frame builder of ws. */
class SocketTransport implements Transport {
  readonly #ws: WebSocket
  readonly #socket: Duplex

  constructor(ws: WebSocket, socket: Duplex) {
    this.#ws = ws
    this.#socket = socket
  }

  get buffered(): number {
    return this.#socket.writableLength
  }

  write(frames: readonly Buffer[]): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return
    const socket = this.#socket
    if (frames.length === 1) {
      socket.write(frames[0])
      return
    }
    socket.cork()
    for (const frame of frames) socket.write(frame)
    socket.uncork()
  }

  close(code: number, reason: string): void {
    const ws = this.#ws
    ws.close(code, reason)
    const timer = setTimeout(() => ws.terminate(), CLOSE_GRACE_MS)
    timer.unref()
    ws.once('close', () => clearTimeout(timer))
  }

  ping(): void {
    this.#ws.ping()
  }

  pauseReading(): void {
    this.#ws.pause()
  }

  resumeReading(): void {
    this.#ws.resume()
  }
}
