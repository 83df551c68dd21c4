import { RawSocket, type Received } from './raw-socket.ts'

/** One socket to open. With `hello`, it is ready once all that it follows is live; without, once it is upgraded. */
export interface Seat {
  readonly path: string
  readonly hello?: { readonly token: string; readonly follow: 'all' | readonly string[] }
  readonly extensions?: string
}

export interface Group {
  readonly sockets: readonly RawSocket[]
  readonly received: Received
  close(): void
}

/** A client speaks at least this often. */
const PING_MS = 20_000

/** Opens these, so many at a time. */
export async function openGroup(
  { port, seats, atATime }: { port: number; seats: readonly Seat[]; atATime: number },
  received: Received,
): Promise<Group> {
  const sockets: RawSocket[] = []
  let next = 0
  async function openSome(): Promise<void> {
    for (let index = next++; index < seats.length; index = next++) {
      const { path, hello, extensions } = seats[index]!
      const socket = new RawSocket({ port, path, received, ...(extensions && { extensions }) })
      sockets[index] = socket
      await socket.opened
      if (hello) await greet(socket, hello)
      socket.readUpTo = 0
      socket.onText = () => {}
    }
  }
  await Promise.all(Array.from({ length: atATime }, openSome))
  const pinging = setInterval(() => {
    sockets.forEach((socket, index) => {
      if (seats[index]?.hello) socket.send('{"type":"ping"}')
    })
  }, PING_MS)
  return {
    sockets,
    received,
    close() {
      clearInterval(pinging)
      for (const socket of sockets) socket.close()
    },
  }
}

function greet(socket: RawSocket, { token, follow }: NonNullable<Seat['hello']>): Promise<void> {
  return new Promise((resolve, reject) => {
    let toCome = Number.POSITIVE_INFINITY
    socket.onText = (text) => {
      const frame = JSON.parse(text)
      if (frame.type === 'welcome') toCome = frame.streams.length
      else if (frame.type === 'live') toCome -= 1
      else if (frame.type === 'error' || frame.type === 'unfollowed')
        reject(new Error(`the gateway did not welcome the load: ${text}`))
      if (toCome === 0) resolve()
    }
    socket.send(JSON.stringify({ type: 'hello', token, follow }))
  })
}

/** Reads every hundredth socket and counts what does not follow upon what came before it. */
export function watchSample(sockets: readonly RawSocket[]): { checked: number; wrong: number } {
  const seen = { checked: 0, wrong: 0 }
  for (let index = 0; index < sockets.length; index += 100) {
    const socket = sockets[index]!
    let head: { seq: number; chain: string } | undefined
    socket.readUpTo = Number.POSITIVE_INFINITY
    socket.onText = (text) => {
      const event = JSON.parse(text)
      if (event.seq === undefined) return
      if (head && (event.seq !== head.seq + 1 || event.prevchain !== head.chain)) seen.wrong += 1
      head = event
      seen.checked += 1
    }
  }
  return seen
}
