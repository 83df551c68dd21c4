// What compression costs: a server of `ws` that sends events to all of its sockets, with permessage-deflate or without
// (DEFLATE). `shared`: the frame of an event is made once and written to every socket; `once`: the same, compressed,
// which works because without context takeover it is the same for all.
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { constants, deflateRawSync } from 'node:zlib'
import { type WebSocket, WebSocketServer } from 'ws'
import { serveCalls } from '../calls.ts'
import { makeEvent, type StreamPlace } from '../events.ts'

export type Deflating = 'off' | 'each' | 'context' | 'shared' | 'once'

const mode = (process.env.DEFLATE ?? 'off') as Deflating
const LEVEL = 1
const WORDS =
  'anyone did look at the numbers from last night yet second run was better than first lunch build red'.split(
    ' ',
  )
const options = {
  threshold: 0,
  zlibDeflateOptions: { level: LEVEL },
  ...(mode === 'context' ? {} : { serverNoContextTakeover: true, clientNoContextTakeover: true }),
}
const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  backlog: 4_096,
  perMessageDeflate: mode === 'off' || mode === 'shared' ? false : options,
})
const sockets = new Map<WebSocket, Duplex>()
server.on('connection', (socket, request) => {
  sockets.set(socket, request.socket)
  socket.on('close', () => sockets.delete(socket))
})

/** Messages of a hundred characters or so, each of other words. */
function* events(count: number): Generator<Buffer> {
  let place: StreamPlace = { subject: 'room:6f1f1f0e-7a39-5d1a-8f0a-0d5c7e1b2a3c', seq: 0, chain: '' }
  for (let index = 0; index < count; index += 1) {
    const text = Array.from(
      { length: 20 },
      (_, word) => WORDS[(index * 7 + word * word) % WORDS.length],
    ).join(' ')
    const event = makeEvent(
      place,
      'user:0b6d4f6e-8f1c-4a52-9c52-0f4f3f6f9a10',
      text,
      new Date().toISOString(),
    )
    place = event
    yield event.value
  }
}

/** A text frame, header and all; compressed as RFC 7692 §7.2.1 has it, or not. */
function textFrame(payload: Buffer, compressed: boolean): Buffer {
  const body = compressed ? deflated(payload) : payload
  const short = body.length < 126
  const header = Buffer.alloc(short ? 2 : 4)
  header[0] = compressed ? 0xc1 : 0x81
  header[1] = short ? body.length : 126
  if (!short) header.writeUInt16BE(body.length, 2)
  return Buffer.concat([header, body])
}

function deflated(payload: Buffer): Buffer {
  const flushed = deflateRawSync(payload, { level: LEVEL, finishFlush: constants.Z_SYNC_FLUSH })
  return flushed.subarray(0, flushed.length - 4)
}

const calls = {
  port: (): number => (server.address() as AddressInfo).port,

  /** Sends so many events to every socket, one event after the other. */
  async talk({ count }: { count: number }): Promise<void> {
    for (const event of events(count)) {
      if (mode === 'once' || mode === 'shared') {
        const frame = textFrame(event, mode === 'once')
        for (const socket of sockets.values()) socket.write(frame)
        await new Promise((resolve) => setImmediate(resolve))
        continue
      }
      const sent = [...sockets.keys()].map(
        (socket) => new Promise((resolve) => socket.send(event, { binary: false }, resolve)),
      )
      await Promise.all(sent)
    }
  },
}
export type DeflatingWsCalls = typeof calls
await new Promise((resolve) => server.once('listening', resolve))
serveCalls(calls)
