import type { StreamEvent } from '@klatsch/contracts'
import { v7 } from 'uuid'
import { WebSocket } from 'ws'
import type { Watch } from '../engine/watch.ts'
import type { Connection } from './connection.ts'
import { createRecorder, type Person, refusal } from './recorder.ts'
import { lifetime, messageFrame, type Said } from './wire.ts'

const PING_MS = 20_000
const DEAD_MS = 10_000
const HOLE_MS = 300
const ANSWER_MS = 20_000
const SHORTEST_WAIT_MS = 100

export interface RawPersonOptions {
  readonly name: string
  readonly actor: string
  /** `http://host:port` */
  readonly baseUrl: string
  /** `ws://host:port/ws` */
  readonly url: string
  readonly token: () => Promise<string>
  readonly rooms: readonly string[]
  readonly random: () => number
  readonly watch?: Watch
}

interface Pending extends Said {
  /** Of those that were not refused, whether answered or not. */
  after: string | undefined
  sentAt: number
}

interface Frame {
  readonly type?: string
  readonly specversion?: string
  readonly id?: string
  readonly subject?: string
  readonly seq?: number
  readonly head?: number
  readonly code?: string
  readonly retryable?: boolean
  readonly retryAfterMs?: number
}

/** A person who knows nothing of our client: JSON over a bare socket, by what PROTOCOL.md says and no more. */
export function createRawPerson(options: RawPersonOptions): Person {
  const { name, actor, rooms, random } = options
  const recorder = createRecorder(name, actor, options.watch)
  const positions = new Map(rooms.map((room) => [room, { seq: 0, chain: '' }]))
  const pending = new Map<string, Pending>()
  /** By room, the last command that may have an outcome. */
  const last = new Map<string, string>()
  /** Rooms whose gap is being fetched, with the live events that wait for it. */
  const filling = new Map<string, StreamEvent[]>()
  /** Rooms that are to be sent again after a wait. */
  const resending = new Set<string>()
  const life = lifetime()
  const { later } = life
  /** Rooms that were followed anew to fill a hole, and from where: a second hole there is filled over HTTP. */
  const followedFrom = new Map<string, number>()
  let socket: WebSocket | undefined
  let welcomed = false
  let attempt = 0
  let connections = 0
  let heardAt = 0

  async function connect(): Promise<void> {
    try {
      const token = await options.token()
      if (!life.over) open(token)
    } catch {
      again()
    }
  }

  function again(): void {
    welcomed = false
    socket = undefined
    attempt += 1
    later(random() * Math.min(5_000, 200 * 2 ** attempt), () => void connect())
  }

  function open(token: string): void {
    const mine = new WebSocket(options.url, 'klatsch.v1', { handshakeTimeout: 5_000 })
    const line = recorder.listen()
    socket = mine
    heardAt = Date.now()
    mine.on('open', () => {
      const cursors = Object.fromEntries(
        [...positions].map(([room, at]) => [room, at.seq === 0 ? { seq: 0 } : at]),
      )
      for (const [room, { seq }] of positions) line.after(room, seq)
      mine.send(JSON.stringify({ type: 'hello', token, follow: rooms, cursors }))
    })
    mine.on('message', (data) => {
      heardAt = Date.now()
      if (mine === socket) receive(JSON.parse(String(data)), line)
    })
    mine.on('error', () => {})
    mine.on('close', () => {
      if (mine === socket && !life.over) again()
    })
  }

  function send(frame: object): void {
    if (welcomed && socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
  }

  function receive(frame: Frame, line: Connection): void {
    if (frame.specversion !== undefined) {
      if (frame.seq === undefined) return
      const told = frame as StreamEvent
      line.told({ room: told.subject, seq: told.seq, actor: told.actor, command: told.causationid })
      event(told)
      return
    }
    switch (frame.type) {
      case 'welcome':
        welcomed = true
        attempt = 0
        connections += 1
        for (const room of rooms) resend(room)
        return
      case 'ack':
        settle(frame.id!, () => recorder.outcome(frame.id!, { kind: 'acked', seq: frame.seq! }))
        return
      case 'error':
        if (frame.id !== undefined) refused(frame, frame.id)
        return
      case 'reset':
        line.after(frame.subject!, frame.head!)
        void fill(frame.subject!, frame.head!)
        return
      case 'live':
        line.live(frame.subject!, frame.head!)
        if (positions.has(frame.subject!)) void fill(frame.subject!, frame.head!)
        return
      case 'goaway':
        later(random() * 500, () => socket?.close())
        return
    }
  }

  function event(event: StreamEvent): void {
    const at = positions.get(event.subject)
    if (!at) return
    const waiting = filling.get(event.subject)
    if (waiting) {
      waiting.push(event)
      return
    }
    if (event.seq <= at.seq) return
    if (event.seq > at.seq + 1) {
      // Whatever comes after the hole comes again with what fills it.
      later(HOLE_MS, () => {
        const { subject, seq } = event
        const now = positions.get(subject)!
        if (now.seq >= seq) return
        if (followedFrom.get(subject) === now.seq) void fill(subject, seq)
        else send({ type: 'follow', subject, cursor: now })
        followedFrom.set(subject, now.seq)
      })
      return
    }
    take(event)
  }

  function take(event: StreamEvent): void {
    positions.set(event.subject, { seq: event.seq, chain: event.chain })
    recorder.read(event)
    if (event.actor === actor) {
      settle(event.causationid, () => recorder.outcome(event.causationid, { kind: 'acked', seq: event.seq }))
    }
  }

  function settle(id: string, note: () => void): void {
    if (pending.delete(id)) note()
  }

  function refused(frame: Frame, id: string): void {
    const command = pending.get(id)
    if (!command) return
    if (frame.retryable) {
      const { room } = command
      if (resending.has(room)) return
      resending.add(room)
      later(Math.max(frame.retryAfterMs ?? 0, SHORTEST_WAIT_MS * (1 + random())), () => {
        resending.delete(room)
        resend(room)
      })
      return
    }
    settle(id, () => recorder.outcome(id, refusal(frame.code ?? '')))
    // The gateway may have refused it, and then it has no outcome: those behind it name the one before it.
    for (const other of pending.values()) if (other.after === id) other.after = command.after
    if (last.get(command.room) === id) {
      if (command.after === undefined) last.delete(command.room)
      else last.set(command.room, command.after)
    }
  }

  /** All of a room that is unanswered, in order. */
  function resend(room: string): void {
    for (const command of pending.values()) if (command.room === room) transmit(command)
  }

  function transmit(command: Pending): void {
    command.sentAt = Date.now()
    send(messageFrame(command))
  }

  async function fill(room: string, head: number): Promise<void> {
    if (filling.has(room)) return
    filling.set(room, [])
    while (positions.get(room)!.seq < head && !life.over) {
      try {
        const after = positions.get(room)!.seq
        const headers = { authorization: `Bearer ${await options.token()}` }
        const address = `${options.baseUrl}/api/rooms/${room.slice('room:'.length)}/events?after=${after}&limit=200`
        const answer = await fetch(address, { headers, signal: AbortSignal.timeout(10_000) })
        const { items } = (await answer.json()) as { items: StreamEvent[] }
        for (const item of items) take(item)
      } catch {
        await new Promise<void>((resolve) => later(500, resolve))
      }
    }
    const waiting = filling.get(room) ?? []
    filling.delete(room)
    for (const item of waiting) event(item)
  }

  function heartbeat(): void {
    later(PING_MS, () => {
      const at = Date.now()
      send({ type: 'ping' })
      later(DEAD_MS, () => {
        // A dead one may not even close: it is left to itself.
        if (heardAt < at && socket && welcomed) {
          const dead = socket
          again()
          dead.terminate()
        }
      })
      const unanswered = new Set<string>()
      for (const command of pending.values())
        if (at - command.sentAt > ANSWER_MS) unanswered.add(command.room)
      for (const room of unanswered) resend(room)
      heartbeat()
    })
  }

  heartbeat()
  void connect()
  return {
    name,
    actor,
    sends: recorder.sends,
    reads: recorder.reads,
    skips: recorder.skips,
    get waiting() {
      return recorder.waiting
    },
    head: recorder.head,
    say(room, text) {
      const command: Pending = { id: v7(), room, text, after: last.get(room), sentAt: 0 }
      last.set(room, command.id)
      pending.set(command.id, command)
      recorder.sent(command.id, room, text)
      transmit(command)
    },
    get state() {
      return `${welcomed ? 'connected' : 'not connected'}, ${connections} connections, ${recorder.waiting} waiting`
    },
    async close() {
      life.end()
      socket?.close()
    },
  }
}
