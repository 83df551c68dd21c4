import type { StreamEvent } from '@klatsch/contracts'
import { v7 } from 'uuid'
import type { Watch } from '../engine/watch.ts'
import { createRecorder, type Person, roomId } from './recorder.ts'

const PAGE = 200
const TIMEOUT_MS = 20_000
/** So often it reads the room it has written in. */
const LOOK_EVERY = 5

/** A program that writes and reads over HTTP alone and tries nothing again, so that it notices whatever goes wrong. */
export function createHttpPerson(options: {
  readonly name: string
  readonly actor: string
  /** `http://host:port` */
  readonly baseUrl: string
  readonly token: () => Promise<string>
  readonly trouble: (what: string) => void
  readonly watch?: Watch
}): Person {
  const { name, actor, trouble } = options
  // Looks now and then: when it reads tells nothing of how fast events are delivered.
  const watch = options.watch && { ...options.watch, seen: () => {} }
  const recorder = createRecorder(name, actor, watch)
  const looking = new Set<string>()

  async function call(method: string, path: string, init: RequestInit, status: number): Promise<unknown> {
    const answer = await fetch(`${options.baseUrl}/api/rooms/${path}`, {
      ...init,
      method,
      headers: { ...init.headers, authorization: `Bearer ${await options.token()}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (answer.status !== status) throw new Error(`${answer.status} ${await answer.text()}`)
    return answer.json()
  }

  async function write(id: string, room: string, text: string): Promise<void> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': id }
    const init = { headers, body: JSON.stringify({ text }) }
    const { message } = (await call('POST', `${roomId(room)}/messages`, init, 201)) as {
      message: { seq: number }
    }
    recorder.outcome(id, { kind: 'acked', seq: message.seq })
  }

  function noticed(what: string, error: unknown): void {
    const { message, cause } = error as Error
    trouble(`${what}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`)
  }

  /** Reads what is new in a room. */
  async function look(room: string): Promise<void> {
    if (looking.has(room)) return
    looking.add(room)
    try {
      for (let more = true; more; ) {
        const path = `${roomId(room)}/events?after=${recorder.head(room)}&limit=${PAGE}`
        const page = (await call('GET', path, {}, 200)) as { items: StreamEvent[]; head: number }
        for (const event of page.items) recorder.read(event)
        more = page.items.length > 0 && recorder.head(room) < page.head
      }
    } catch (error) {
      noticed('a read', error)
    } finally {
      looking.delete(room)
    }
  }

  return {
    name,
    actor,
    // Requests at the same time have no order: each is a device of its own.
    get sends() {
      return recorder.sends.map((send) => ({ ...send, device: `${name} ${send.command}` }))
    },
    reads: recorder.reads,
    get waiting() {
      return recorder.waiting
    },
    head: recorder.head,
    say(room, text) {
      const id = v7()
      recorder.sent(id, room, text)
      write(id, room, text).catch((error: unknown) => {
        recorder.outcome(id, { kind: 'unknown' })
        noticed('a write', error)
      })
      if (recorder.sends.length % LOOK_EVERY === 0) void look(room)
    },
    get state() {
      return `${recorder.waiting} waiting`
    },
    async close() {},
  }
}
