import type { StreamEvent } from '@klatsch/contracts'
import { backoffMs, pause, systemScheduler } from '@klatsch/streams'
import { v7 } from 'uuid'
import type { Watch } from '../engine/watch.ts'
import { createRecorder, type Person, refusal, roomId } from './recorder.ts'

const PAGE = 200
const TIMEOUT_MS = 20_000
/** So often it reads the room it has written in. */
const LOOK_EVERY = 5
const AGAIN_MS = 500
const MOST_MS = 5_000

interface CommandState {
  readonly state: 'unknown' | 'accepted' | 'rejected' | 'held' | 'cancelled'
  readonly seq?: number
  readonly code?: string
}

/**
 * A program that writes and reads over HTTP alone. It notices whatever goes wrong. What failed it sends again under its key; what was
 * taken (202) it relies on: unlike who sends again until an answer comes, it shows what was taken and then forgotten.
 */
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
  const closing = new AbortController()

  async function ask(method: string, address: string, init: RequestInit = {}): Promise<Response> {
    const authorization = `Bearer ${await options.token()}`
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(TIMEOUT_MS)])
    return fetch(`${options.baseUrl}${address}`, {
      ...init,
      method,
      headers: { ...init.headers, authorization },
      signal,
    })
  }

  const refused = async (answer: Response) => new Error(`${answer.status} ${await answer.text()}`)

  /** Under the same key until it is answered; what was taken is not sent again, but asked for where its outcome will be. */
  async function write(id: string, room: string, text: string): Promise<void> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': id }
    const body = JSON.stringify({ text })
    for (let failures = 0; !closing.signal.aborted; failures += 1) {
      try {
        const answer = await ask('POST', `/api/rooms/${roomId(room)}/messages`, { headers, body })
        if (answer.status === 201) {
          const { message } = (await answer.json()) as { message: { seq: number } }
          return recorder.outcome(id, { kind: 'acked', seq: message.seq })
        }
        noticed('a write', await refused(answer.clone()))
        if (answer.status === 202) {
          recorder.taken(id)
          return await outcomeAt(id, answer.headers.get('location')!)
        }
        if (answer.status < 500 && answer.status !== 429) {
          const { code } = (await answer.json()) as { code: string }
          return recorder.outcome(id, refusal(code))
        }
      } catch (error) {
        noticed('a write', error)
      }
      await pause(systemScheduler, backoffMs(failures, AGAIN_MS, MOST_MS, Math.random), closing.signal)
    }
  }

  /** Looks at the address that a 202 named until the outcome is there. */
  async function outcomeAt(id: string, address: string): Promise<void> {
    for (let looks = 1; !closing.signal.aborted; looks += 1) {
      await pause(systemScheduler, Math.min(AGAIN_MS * looks, MOST_MS), closing.signal)
      try {
        const answer = await ask('GET', address)
        if (answer.status !== 200) throw await refused(answer)
        const { state, seq, code } = (await answer.json()) as CommandState
        if (state === 'unknown') continue
        return recorder.outcome(
          id,
          state === 'accepted'
            ? { kind: 'acked', seq: seq! }
            : refusal(state === 'held' ? 'command.held' : (code ?? state)),
        )
      } catch (error) {
        noticed('a look at an outcome', error)
      }
    }
  }

  function noticed(what: string, error: unknown): void {
    if (closing.signal.aborted) return
    const { message, cause } = error as Error
    trouble(`${what}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`)
  }

  /** Reads what is new in a room. */
  async function look(room: string): Promise<void> {
    if (looking.has(room)) return
    looking.add(room)
    try {
      for (let more = true; more; ) {
        const query = `after=${recorder.head(room)}&limit=${PAGE}`
        const answer = await ask('GET', `/api/rooms/${roomId(room)}/events?${query}`)
        if (answer.status !== 200) throw await refused(answer)
        const page = (await answer.json()) as { items: StreamEvent[]; head: number }
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
    skips: recorder.skips,
    get waiting() {
      return recorder.waiting
    },
    head: recorder.head,
    say(room, text) {
      const id = v7()
      recorder.sent(id, room, text)
      void write(id, room, text)
      if (recorder.sends.length % LOOK_EVERY === 0) void look(room)
    },
    get state() {
      return `${recorder.waiting} waiting`
    },
    async close() {
      closing.abort()
    },
  }
}
