import type { WebSocketLike } from '@klatsch/client'
import type { Transport } from '@klatsch/gateway/src/connections/context.ts'
import { bodyOfTextFrame } from '@klatsch/gateway/src/connections/text-frame.ts'
import type { SimulatedProcess } from '@klatsch/streams/simulation'

const LATENCY_MS = 8
/** More than a gateway lets wait for one socket. */
const CLOGGED_BYTES = 2 * 1024 * 1024

/** A gateway that takes sockets. */
export interface Host {
  readonly process: SimulatedProcess
  accept(transport: Transport): { receive(text: string): void; drained(): void; gone(): void }
}

/** Texts of the frames in these bytes. */
function framesIn(bytes: Buffer): string[] {
  const texts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1]!
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    texts.push(bodyOfTextFrame(bytes.subarray(at, at + head + length)).toString())
    at += head + length
  }
  return texts
}

export interface Wire {
  /** Whose it is, and what that is called. */
  readonly user: string
  readonly name: string
  readonly socket: WebSocketLike
  readonly host: Host
  readonly open: boolean
  /** The gateway says that it goes away, and is gone after so long. */
  goAway(withinMs: number): void
  /** Nothing passes any more, and neither end is told. */
  mute(): void
  /** Everything takes so much longer from now on. */
  slow(ms: number): void
  /** For so long the network takes nothing more, and then all at once. */
  clog(ms: number): void
  /** The connection breaks: what is under way is lost, both ends learn of it, each in its own time. */
  cut(): void
}

/** What the gateway makes of a socket: it knows whose it is, and later it knows that it is gone. */
export interface Session {
  began(): void
  ended(): void
}

/** A WebSocket between a simulated client and a simulated gateway: in order, delayed, and it can break at any point. */
export function wire(
  user: string,
  client: SimulatedProcess,
  host: Host,
  random: () => number,
  session: Session,
): Wire {
  let state: 'connecting' | 'open' | 'closed' = 'connecting'
  const toServer: string[] = []
  const toClient: string[] = []
  let waiting = 0
  let silent = false
  let extraMs = 0
  let clogged = 0
  let connection: ReturnType<Host['accept']> | undefined

  const socket: WebSocketLike = {
    onopen: null,
    onmessage: null,
    onclose: null,
    onerror: null,
    send(data) {
      if (state !== 'open') return
      toServer.push(data)
      host.process.after(extraMs + random() * LATENCY_MS, () => {
        const text = toServer.shift()
        if (text !== undefined && state === 'open' && !silent) connection?.receive(text)
      })
    },
    close: (code = 1000, reason = '') => end(code, reason),
  }
  const transport: Transport = {
    write(chunks) {
      for (const text of chunks.flatMap(framesIn)) {
        if (text.startsWith('{"type":"welcome"')) session.began()
        toClient.push(text)
        waiting += text.length
        client.after(extraMs + random() * LATENCY_MS, () => {
          const data = toClient.shift()
          if (data === undefined) return
          waiting -= data.length
          if (state === 'open' && !silent) socket.onmessage?.({ data })
          if (waiting === 0 && clogged === 0) host.process.after(0, () => connection?.drained())
        })
      }
    },
    get buffered() {
      return waiting + (clogged > 0 ? CLOGGED_BYTES : 0)
    },
    close: (code, reason) => {
      session.ended()
      client.after(random() * LATENCY_MS, () => end(code, reason))
    },
    ping() {},
    pauseReading() {},
    resumeReading() {},
  }

  function end(code: number, reason: string): void {
    if (state === 'closed') return
    state = 'closed'
    toServer.length = 0
    toClient.length = 0
    host.process.after(random() * 50, () => {
      connection?.gone()
      session.ended()
    })
    client.after(random() * 50, () => socket.onclose?.({ code, reason }))
  }

  host.process.after(random() * LATENCY_MS, () => {
    if (state !== 'connecting') return
    connection = host.accept(transport)
    client.after(random() * LATENCY_MS, () => {
      if (state !== 'connecting') return
      state = 'open'
      ;(socket.onopen as (() => void) | null)?.()
    })
  })
  // A host that never answers is given up, as a browser does.
  client.after(5_000, () => {
    if (state === 'connecting') end(1006, 'no answer')
  })

  return {
    user,
    name: client.name,
    socket,
    host,
    get open() {
      return state === 'open'
    },
    goAway(withinMs) {
      socket.onmessage?.({ data: JSON.stringify({ type: 'goaway', withinMs }) })
      client.after(withinMs, () => end(1012, 'restarting'))
    },
    mute() {
      silent = true
    },
    slow(ms) {
      extraMs = ms
    },
    clog(ms) {
      clogged += 1
      host.process.after(ms, () => {
        clogged -= 1
        if (clogged === 0) connection?.drained()
      })
    },
    cut: () => end(1006, 'cut'),
  }
}
