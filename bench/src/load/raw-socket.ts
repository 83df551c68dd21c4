import { connect, type Socket } from 'node:net'

/** What all sockets of a process received, for whoever measures. */
export interface Received {
  frames: number
  bytes: number
}

export interface RawSocketOptions {
  readonly port: number
  readonly path: string
  readonly received: Received
  /** What the client offers in `Sec-WebSocket-Extensions`. */
  readonly extensions?: string
}

const UPGRADED = /^HTTP\/1\.1 101 /
const PONG = clientFrame(0x8a, Buffer.alloc(0))
/** One for all sockets: what is read is dealt with before the next read. */
const readBuffer = Buffer.alloc(256 * 1024)

/**
 * A WebSocket client that looks at the headers of frames and skips their payload, so that it costs less than the
 * server that it measures. Payloads up to `readUpTo` bytes are read and handed on as text.
 */
export class RawSocket {
  readUpTo = Number.POSITIVE_INFINITY
  onText: (text: string) => void = () => {}
  /** Rejects when it is not taken. */
  readonly opened: Promise<void>
  /** Resolves once it has ended, however. */
  readonly closed: Promise<void>
  /** Why it ended, once it has. */
  ended: string | undefined
  readonly #socket: Socket
  readonly #received: Received
  #greeting = ''
  #upgraded = false
  #opcode = 0
  /** Bytes of the payload still to come. */
  #left = 0
  /** Of a payload that is read: what has come so far. */
  #parts: Buffer[] | undefined
  /** A header that is not all here yet. */
  #header: Buffer | undefined
  #open: () => void = () => {}

  constructor({ port, path, received, extensions }: RawSocketOptions) {
    this.#received = received
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: readBuffer, callback: (length) => this.#take(length) },
    })
    const closed = Promise.withResolvers<void>()
    this.closed = closed.promise
    this.opened = new Promise((resolve, reject) => {
      this.#open = resolve
      this.#socket.once('close', () => {
        this.ended ??= 'closed'
        closed.resolve()
        reject(new Error(`a socket of the load was not taken: ${this.ended} ${this.#greeting.slice(0, 200)}`))
      })
    })
    this.#socket.on('error', (error) => {
      this.ended = error.message
    })
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Protocol: klatsch.v1\r\n${extensions ? `Sec-WebSocket-Extensions: ${extensions}\r\n` : ''}\r\n`,
    )
  }

  send(text: string): void {
    this.#socket.write(clientFrame(0x81, Buffer.from(text)))
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Leaves what comes in the kernel's buffers, until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  #take(length: number): boolean {
    const at = this.#upgraded ? 0 : this.#greet(length)
    this.#received.bytes += length - at
    this.#frames(readBuffer, at, length)
    return true
  }

  /** Reads up to the end of the answer to the upgrade; answers where the first frame begins. */
  #greet(length: number): number {
    const before = this.#greeting.length
    this.#greeting += readBuffer.toString('latin1', 0, length)
    const end = this.#greeting.indexOf('\r\n\r\n')
    if (end < 0) return length
    if (!UPGRADED.test(this.#greeting)) {
      this.#socket.destroy()
      return length
    }
    this.#upgraded = true
    this.#open()
    return end + 4 - before
  }

  #frames(buffer: Buffer, from: number, to: number): void {
    let at = from
    while (at < to) {
      if (this.#left > 0) {
        const here = Math.min(this.#left, to - at)
        this.#parts?.push(Buffer.from(buffer.subarray(at, at + here)))
        this.#left -= here
        at += here
        if (this.#left === 0) this.#complete()
        continue
      }
      if (this.#header) {
        const header: Buffer = Buffer.concat([this.#header, buffer.subarray(at, at + 1)])
        at += 1
        this.#header = header
        if (header.length < headerLength(header, 0, header.length)) continue
        this.#header = undefined
        this.#begin(header, 0)
        continue
      }
      const header = headerLength(buffer, at, to)
      if (at + header > to) {
        this.#header = Buffer.from(buffer.subarray(at, to))
        return
      }
      const payload = payloadLength(buffer, at)
      const end = at + header + payload
      // By far the most: a whole frame that nobody reads.
      if (end <= to && payload > this.readUpTo && buffer[at] === 0x81) {
        this.#received.frames += 1
        at = end
        continue
      }
      this.#begin(buffer, at)
      at += header
    }
  }

  #begin(buffer: Buffer, at: number): void {
    this.#opcode = buffer[at]! & 0x0f
    this.#left = payloadLength(buffer, at)
    this.#parts = this.#left <= this.readUpTo || this.#opcode !== 0x1 ? [] : undefined
    if (this.#left === 0) this.#complete()
  }

  #complete(): void {
    const parts = this.#parts
    this.#parts = undefined
    switch (this.#opcode) {
      case 0x1:
        this.#received.frames += 1
        if (parts) this.onText((parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString())
        return
      case 0x8:
        this.ended = `closed by the server: ${Buffer.concat(parts ?? []).toString('utf8', 2)}`
        this.#socket.destroy()
        return
      case 0x9:
        this.#socket.write(PONG)
        return
    }
  }
}

/** The length of the header that begins at `at`, as far as it can be told from what is here. */
function headerLength(buffer: Buffer, at: number, to: number): number {
  if (at + 1 >= to) return 2
  const short = buffer[at + 1]!
  return short < 126 ? 2 : short === 126 ? 4 : 10
}

function payloadLength(buffer: Buffer, at: number): number {
  const short = buffer[at + 1]!
  if (short < 126) return short
  return short === 126 ? (buffer[at + 2]! << 8) | buffer[at + 3]! : Number(buffer.readBigUInt64BE(at + 2))
}

/** A frame as clients send it, masked with zeros. */
function clientFrame(first: number, payload: Buffer): Buffer {
  const { length } = payload
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const header = Buffer.alloc(2 + extended + 4)
  header[0] = first
  header[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127)
  if (extended === 2) header.writeUInt16BE(length, 2)
  else if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, payload])
}
