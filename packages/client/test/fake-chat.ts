import {
  type ClientFrame,
  type Cursor,
  clientFrameSchema,
  type StreamEvent,
  userSubject,
} from '@klatsch/contracts'
import type { SimulatedProcess, Simulation } from '@klatsch/streams/simulation'
import type { WebSocketLike } from '../src/types.ts'
import { USER } from './fake-server.ts'
import { eventAfter } from './history.ts'

const LATENCY_MS = 10
/** A gap of more events than this is answered with `reset`. */
const RESUME_EVENTS = 20

interface FakeConnection {
  readonly owner: SimulatedProcess
  readonly followed: Set<string>
  send(frame: object): void
  cut(): void
}

/** A server of a few rooms with everyone in them, as the protocol says it is, over sockets that take their time and break. */
export function fakeChat(sim: Simulation, rooms: readonly string[]) {
  const histories = new Map<string, StreamEvent[]>(rooms.map((room) => [room, []]))
  const outcomes = new Map<string, { subject: string; seq: number }>()
  const open = new Set<FakeConnection>()
  const signals: Extract<ClientFrame, { type: 'signal' | 'watch' }>[] = []
  let sessions = 0
  const of = (room: string) => histories.get(room)!
  const headOf = (room: string) => of(room).length

  function append(room: string, text: string, by?: { id: string }): number {
    const last = of(room).at(-1) ?? { subject: room, seq: 0, chain: '' }
    const event = eventAfter(last, {
      text,
      ...(by ? { actor: userSubject(USER), causationid: by.id } : {}),
    })
    of(room).push(event)
    for (const each of open) if (each.followed.has(room)) each.send(event)
    return event.seq
  }

  function follow(connection: FakeConnection, room: string, cursor: Cursor | undefined): void {
    const head = headOf(room)
    const from = cursor?.seq ?? head
    connection.followed.add(room)
    const fork = from > head || (cursor?.chain && from > 0 && of(room)[from - 1]!.chain !== cursor.chain)
    if (fork || head - from > RESUME_EVENTS) {
      connection.send({ type: 'reset', subject: room, reason: fork ? 'fork' : 'gap', from: 1, head })
    } else for (const event of of(room).slice(from)) connection.send(event)
    connection.send({ type: 'live', subject: room, head })
  }

  function take(connection: FakeConnection, frame: ClientFrame): void {
    switch (frame.type) {
      case 'hello':
        connection.send({
          type: 'welcome',
          session: `session ${++sessions}`,
          user: { id: USER, username: 'ada', displayName: 'Ada', guest: false, admin: false },
          streams: rooms.map((subject) => ({ subject, first: 1, head: headOf(subject) })),
          limits: { pingMs: 25_000, commandsPerSecond: 50 },
        })
        for (const room of rooms) follow(connection, room, frame.cursors[room])
        return
      case 'follow':
        if (frame.subject !== undefined) follow(connection, frame.subject, frame.cursor)
        for (const [each, cursor] of Object.entries(frame.cursors ?? {})) follow(connection, each, cursor)
        return
      case 'command': {
        const { id, subject = '', after } = frame
        if (after !== undefined && !outcomes.has(after)) {
          connection.send({ type: 'error', id, code: 'command.after_unknown', detail: '', retryable: true })
          return
        }
        const known = outcomes.get(id)
        const seq = known?.seq ?? append(subject, (frame.data as { text: string }).text, { id })
        outcomes.set(id, { subject, seq })
        connection.send({ type: 'ack', id, subject, seq })
        return
      }
      case 'ping':
        connection.send({ type: 'pong' })
        return
      case 'signal':
      case 'watch':
        signals.push(frame)
        return
      case 'unfollow':
        connection.followed.delete(frame.subject)
        return
      case 'auth':
        return
      default:
        frame satisfies never
    }
  }

  return {
    /** What clients said of themselves and watch, in order. */
    signals,
    history: of,
    headOf,
    say: (room: string, text: string) => void append(room, text),
    /** Sockets that are open, by whoever has them. */
    get open(): readonly FakeConnection[] {
      return [...open]
    },
    connect(process: SimulatedProcess): WebSocketLike {
      const [up, down]: [string[], string[]] = [[], []]
      let state: 'opening' | 'open' | 'closed' = 'opening'
      const connection: FakeConnection = {
        owner: process,
        followed: new Set(),
        send(frame) {
          down.push(JSON.stringify(frame))
          process.after(sim.random() * LATENCY_MS, () => {
            const data = down.shift()
            if (state === 'open' && data !== undefined) socket.onmessage?.({ data })
          })
        },
        cut: () => end(1006),
      }
      const socket: WebSocketLike = {
        onopen: null,
        onmessage: null,
        onclose: null,
        onerror: null,
        send(data) {
          up.push(data)
          sim.after(sim.random() * LATENCY_MS, () => {
            const text = up.shift()
            if (state === 'open' && text !== undefined)
              take(connection, clientFrameSchema.parse(JSON.parse(text)))
          })
        },
        close: () => end(1000),
      }
      function end(code: number): void {
        if (state === 'closed') return
        state = 'closed'
        open.delete(connection)
        process.after(sim.random() * LATENCY_MS, () => socket.onclose?.({ code, reason: '' }))
      }
      process.after(sim.random() * LATENCY_MS, () => {
        if (state === 'closed') return
        state = 'open'
        open.add(connection)
        socket.onopen?.({} as never)
      })
      return socket
    },
  }
}
