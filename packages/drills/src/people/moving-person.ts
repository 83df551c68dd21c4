import type { StreamEvent } from '@klatsch/contracts'
import { v7 } from 'uuid'
import { WebSocket } from 'ws'
import type { Watch } from '../engine/watch.ts'
import type { Read } from '../judge/history.ts'
import type { Connection } from './connection.ts'
import { createRecorder, type Person, readOf } from './recorder.ts'
import { lifetime, messageFrame, type Said } from './wire.ts'

const PING_MS = 20_000
const AGAIN_MS = 250
const HANDSHAKE_MS = 5_000

/** What a frame says, worked out once for all who are sent the same bytes. */
export interface Seen {
  readonly frame: Frame
  /** Of an event of a stream. */
  readonly read: Read | undefined
}

interface Frame {
  readonly type?: string
  readonly specversion?: string
  readonly id?: string
  readonly subject?: string
  readonly seq?: number
  readonly head?: number
  readonly code?: string
  readonly withinMs?: number
}

const KEPT = 20_000

/** Understands frames; the same bytes are parsed and their hashes computed once. */
export function frameReader(): (text: string) => Seen {
  const known = new Map<string, Seen>()
  return (text) => {
    const before = known.get(text)
    if (before) return before
    const frame: Frame = JSON.parse(text)
    const event = frame.specversion !== undefined && frame.seq !== undefined
    const seen = { frame, read: event ? readOf('', frame as StreamEvent) : undefined }
    if (event) {
      if (known.size >= KEPT) known.delete(known.keys().next().value!)
      known.set(text, seen)
    }
    return seen
  }
}

export interface MovingPersonOptions {
  readonly name: string
  readonly actor: string
  /** `ws://host:port/ws` */
  readonly url: string
  readonly token: () => Promise<string>
  /** The one room this socket follows, from its first event on, and writes in. */
  readonly room: string
  readonly random: () => number
  readonly read: (text: string) => Seen
  readonly watch?: Watch
  /** Something that a person would have noticed. */
  readonly trouble: (what: string) => void
}

export interface MovingPerson extends Person {
  /** How often a second socket took over. */
  readonly moves: number
}

/** A socket on its way to being, or being, the one in use. */
interface Line {
  readonly socket: WebSocket
  readonly told: Connection
  welcomed: boolean
  /** It was asked to go elsewhere, within so long, before it was the one in use. */
  goAwayMs: number | undefined
}

/**
 * A person at a bare socket who does what SPEC.md asks of clients in [W11], and takes everything else than a second socket
 * for a fault of the server's: an error, a close, a connection refused, a hole, a reset.
 */
export function createMovingPerson(options: MovingPersonOptions): MovingPerson {
  const { name, actor, room, random, trouble } = options
  const recorder = createRecorder(name, actor, options.watch)
  const pending = new Map<string, Said>()
  const life = lifetime()
  const { later } = life
  let last: string | undefined
  let at: { seq: number; chain: string } = { seq: 0, chain: '' }
  let line: Line | undefined
  let next: Line | undefined
  let moving = false
  let resending = false
  let moves = 0

  async function open(): Promise<void> {
    const token = await options.token()
    if (life.over) return
    const socket = new WebSocket(options.url, 'klatsch.v1', {
      handshakeTimeout: HANDSHAKE_MS,
      perMessageDeflate: false,
    })
    const mine: Line = { socket, told: recorder.listen(), welcomed: false, goAwayMs: undefined }
    next = mine
    socket.on('open', () => {
      const cursors = { [room]: at.seq === 0 ? { seq: 0 } : at }
      mine.told.after(room, at.seq)
      socket.send(JSON.stringify({ type: 'hello', token, follow: [room], cursors }))
    })
    socket.on('message', (data) => receive(mine, options.read(String(data))))
    socket.on('error', (error) => gone(mine, error.message))
    socket.on('close', (code) => gone(mine, `closed with ${code}`))
  }

  /** Tries until there is a second socket; the first one, if there is one, goes on meanwhile. */
  function dial(): void {
    open().catch((error: unknown) => {
      trouble(`no token: ${error}`)
      later(AGAIN_MS, dial)
    })
  }

  function gone(mine: Line, why: string): void {
    if (life.over || (mine !== line && mine !== next)) return
    trouble(`${mine === line ? 'the socket' : 'a new socket'}: ${why}`)
    if (mine === line) line = undefined
    else next = undefined
    if (!next && (!line || moving)) later(AGAIN_MS, dial)
  }

  function receive(mine: Line, { frame, read }: Seen): void {
    if (life.over || (mine !== line && mine !== next)) return
    if (read) {
      mine.told.told(read)
      take(read)
      return
    }
    switch (frame.type) {
      case 'welcome':
        mine.welcomed = true
        return
      case 'live':
        mine.told.live(frame.subject!, frame.head!)
        if (mine === next && frame.subject === room) takeOver(mine)
        return
      case 'ack':
        settled(frame.id!, { kind: 'acked', seq: frame.seq! })
        return
      case 'goaway':
        if (mine === next) mine.goAwayMs = frame.withinMs
        else if (!moving) move(frame.withinMs!)
        return
      case 'reset':
        mine.told.after(frame.subject!, frame.head!)
        trouble('reset')
        return
      case 'error':
      case 'unfollowed':
        trouble(`${frame.type} ${frame.code ?? ''} ${frame.id === undefined ? '' : 'of a command'}`)
        if (frame.id !== undefined && !resending) {
          resending = true
          later(AGAIN_MS, sendAll)
        }
        return
    }
  }

  function move(withinMs: number): void {
    moving = true
    later(random() * withinMs * 0.25, dial)
  }

  /** The second socket has everything: from now on it is the one. */
  function takeOver(mine: Line): void {
    const before = line
    line = mine
    next = undefined
    if (before) moves += 1
    moving = false
    sendAll()
    before?.socket.close(1000)
    if (mine.goAwayMs !== undefined) move(mine.goAwayMs)
  }

  function take(read: Read): void {
    if (read.room !== room || read.seq <= at.seq) return
    if (read.seq > at.seq + 1) trouble(`a hole between ${at.seq} and ${read.seq}`)
    at = { seq: read.seq, chain: read.chain }
    recorder.note({ ...read, observer: name })
    if (read.actor === actor) settled(read.command, { kind: 'acked', seq: read.seq })
  }

  function settled(id: string, outcome: { kind: 'acked'; seq: number }): void {
    if (pending.delete(id)) recorder.outcome(id, outcome)
  }

  function sendAll(): void {
    resending = false
    for (const command of pending.values()) transmit(command)
  }

  function transmit(said: Said): void {
    if (line?.socket.readyState === WebSocket.OPEN) line.socket.send(JSON.stringify(messageFrame(said)))
  }

  function ping(): void {
    later(PING_MS * (0.8 + 0.2 * random()), () => {
      if (line?.socket.readyState === WebSocket.OPEN) line.socket.send('{"type":"ping"}')
      ping()
    })
  }

  dial()
  ping()
  return {
    name,
    actor,
    sends: recorder.sends,
    reads: recorder.reads,
    skips: recorder.skips,
    get waiting() {
      return recorder.waiting
    },
    get moves() {
      return moves
    },
    head: recorder.head,
    say(_room, text) {
      const command: Said = { id: v7(), room, text, after: last }
      last = command.id
      pending.set(command.id, command)
      recorder.sent(command.id, room, text)
      transmit(command)
    },
    get state() {
      return `${line ? 'connected' : 'not connected'}, ${moves} moves, ${recorder.waiting} waiting`
    },
    async close() {
      life.end()
      for (const each of [line, next]) each?.socket.close(1000)
    },
  }
}
