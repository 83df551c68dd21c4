import { digestSchema, type FollowMode, type StreamEvent } from '@klatsch/contracts'
import type { SimulatedProcess } from '@klatsch/streams/simulation'
import type { Wire } from './wire.ts'

export interface Switcher {
  /** Follows one of the rooms, chosen by a fraction, in the other mode, or in the same one again. */
  turn(which: number): void
  /** Follows all rooms in this mode, and from the next connection on. */
  settle(mode: FollowMode): void
  /** Seq of the last event taken. */
  at(room: string): number
  /** Head and messages, as the latest digest on this connection says. */
  told(room: string): { readonly head: number; readonly messageNo: number } | undefined
}

/** A bare client that follows rooms now by digests, now in full, and keeps every event that is new to it. */
export function switcher(options: {
  user: string
  rooms: readonly string[]
  process: SimulatedProcess
  random: () => number
  dial: (process: SimulatedProcess) => Wire
  /** Events up to this seq, as the page over HTTP has them. */
  page: (room: string, upTo: number) => readonly StreamEvent[]
  see: (event: StreamEvent) => void
}): Switcher {
  const { user, rooms, process, random, page, see } = options
  const cursors = new Map<string, { seq: number; chain?: string }>(rooms.map((room) => [room, { seq: 0 }]))
  const digests = new Map<string, { head: number; messageNo: number }>()
  let usual: FollowMode | undefined
  let send: ((frame: object) => void) | undefined
  const coin = (): FollowMode => usual ?? (random() < 0.5 ? 'full' : 'digest')

  function take(event: StreamEvent): void {
    if (event.seq <= (cursors.get(event.subject)?.seq ?? Number.POSITIVE_INFINITY)) return
    cursors.set(event.subject, { seq: event.seq, chain: event.chain })
    see(event)
  }

  function receive(frame: { type: string; subject?: string; head?: number; seq?: number }): void {
    const { subject = '' } = frame
    const digest = digestSchema.safeParse(frame)
    if (digest.success) digests.set(subject, digest.data.data)
    else if (frame.type === 'reset') for (const event of page(subject, frame.head!)) take(event)
    else if ('specversion' in frame && frame.seq !== undefined) take(frame as StreamEvent)
  }

  function follow(subject: string, mode: FollowMode): void {
    send?.({ type: 'follow', subject, mode, cursor: cursors.get(subject) })
  }

  function connect(): void {
    const { socket } = options.dial(process)
    digests.clear()
    socket.onopen = () => {
      send = (frame) => socket.send(JSON.stringify(frame))
      const full = rooms.filter(() => coin() === 'full')
      send({ type: 'hello', token: user, mode: coin(), full, cursors: Object.fromEntries(cursors) })
    }
    socket.onmessage = ({ data }) => receive(JSON.parse(String(data)))
    socket.onclose = () => {
      send = undefined
      process.after(100 + random() * 500, connect)
    }
  }
  connect()

  return {
    turn: (which) => follow(rooms[Math.floor(which * rooms.length)]!, coin()),
    settle(mode) {
      usual = mode
      for (const room of rooms) follow(room, mode)
    },
    at: (room) => cursors.get(room)?.seq ?? 0,
    told: (room) => digests.get(room),
  }
}
