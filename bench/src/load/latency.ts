import { v7 as uuidv7 } from 'uuid'
import type { RawSocket } from './raw-socket.ts'

/** A room of the load: its sockets, of which the first only watches and the others take turns in writing. */
export interface LoadRoom {
  readonly subject: string
  readonly sockets: readonly RawSocket[]
}

export interface Latencies {
  /** Milliseconds from the write of the command to the read of its ack. */
  readonly acked: number[]
  /** Milliseconds from the write of the command to the read of its event on another socket of the room. */
  readonly seen: number[]
  /** Milliseconds by which the load itself was late with each command. */
  readonly late: number[]
}

export interface LatencyLoad {
  readonly perSecond: number
  /** What comes first and is not counted. */
  readonly warmMs: number
  readonly ms: number
  readonly text: string
  /** To a server that only passes on what it gets: texts of so many bytes, which nobody acknowledges. */
  readonly relayedBytes?: number
}

/** An ack is shorter than this, an event longer. */
const ACK_BYTES = 250
const PATIENCE_MS = 15_000

/** Writes `perSecond` messages for `ms`, evenly over the rooms, and waits until all were acked and seen. */
export async function measureLatencies(
  rooms: readonly LoadRoom[],
  { perSecond, warmMs, ms, text, relayedBytes }: LatencyLoad,
): Promise<Latencies> {
  const sentAt = new Map<string, number>()
  const unseen = new Map<string, number>()
  const result: Latencies = { acked: [], seen: [], late: [] }
  let refused: string | undefined

  for (const { sockets } of rooms) {
    const [watcher, ...writers] = sockets
    watcher!.readUpTo = Number.POSITIVE_INFINITY
    watcher!.onText = (text) => {
      const now = performance.now()
      const at = text.indexOf('"causationid":"')
      if (at > 0) take(unseen, text.slice(at + 15, at + 51), now, result.seen)
    }
    for (const writer of writers) {
      writer.readUpTo = ACK_BYTES
      writer.onText = (text) => {
        const now = performance.now()
        if (text.startsWith('{"type":"ack"')) take(sentAt, JSON.parse(text).id, now, result.acked)
        else if (text.startsWith('{"type":"error"')) refused = text
      }
    }
  }

  function take(waiting: Map<string, number>, id: string, now: number, into: number[]): void {
    const at = waiting.get(id)
    waiting.delete(id)
    if (at !== undefined && at >= begin + warmMs) into.push(now - at)
  }

  const last = new Map<RawSocket, string>()
  function send(index: number): void {
    const { subject, sockets } = rooms[index % rooms.length]!
    const writer = sockets[1 + (Math.floor(index / rooms.length) % (sockets.length - 1))]!
    const id = uuidv7()
    const after = last.get(writer)
    last.set(writer, id)
    const frame =
      relayedBytes === undefined
        ? { type: 'command', id, command: 'chat.message.send.v1', subject, after, data: { text } }
        : { causationid: id, rest: 'x'.repeat(relayedBytes) }
    const now = performance.now()
    if (relayedBytes === undefined) sentAt.set(id, now)
    unseen.set(id, now)
    writer.send(JSON.stringify(frame))
    result.late.push(now - (begin + (index * 1_000) / perSecond))
  }

  const begin = performance.now()
  const total = Math.round((perSecond * (warmMs + ms)) / 1_000)
  for (let index = 0; index < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - begin) * perSecond) / 1_000) + 1)
    for (; index < due; index += 1) send(index)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const deadline = performance.now() + PATIENCE_MS
  while ((sentAt.size > 0 || unseen.size > 0) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  if (sentAt.size > 0 || unseen.size > 0) {
    throw new Error(
      `of ${total} messages ${sentAt.size} were not acked and ${unseen.size} not seen within ${PATIENCE_MS} ms; ${refused ?? ''}`,
    )
  }
  return result
}
