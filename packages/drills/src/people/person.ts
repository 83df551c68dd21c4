import { type Api, type ClientStorage, createClient, memoryStorage } from '@klatsch/client'
import type { Bugs, KlatschError, StreamEvent } from '@klatsch/contracts'
import { backoffMs, pause, systemScheduler } from '@klatsch/streams'
import type { Watch } from '../engine/watch.ts'
import { createRecorder, type Person, refusal, roomId } from './recorder.ts'

const PAGE = 200

export interface PersonOptions {
  readonly name: string
  readonly actor: string
  /** `ws://host:port/ws` */
  readonly url: string
  readonly api: Pick<Api, 'events'>
  readonly token: (stale?: string) => Promise<string>
  /** Streams this person is a member of; read from their first event on. */
  readonly rooms: readonly string[]
  readonly random: () => number
  readonly watch?: Watch
  /** Deliberate bugs of our client. */
  readonly bugs?: Bugs
  /** Something that a person would have noticed: cut off after having been connected, a command refused, a page anew. */
  readonly trouble?: (what: string) => void
}

/** A person at our own client. */
export async function createPerson(options: PersonOptions): Promise<Person> {
  const recorder = createRecorder(options.name, options.actor, options.watch)
  const { trouble = () => {} } = options
  const rooms = new Set(options.rooms)
  const storage: ClientStorage = memoryStorage()
  await storage.write({ cursors: Object.fromEntries(options.rooms.map((room) => [room, { seq: 0 }])) })
  const client = createClient({
    url: options.url,
    token: options.token,
    follow: options.rooms,
    storage,
    random: options.random,
    ...(options.bugs && { bugs: options.bugs }),
  })
  /** Rooms whose gap is being fetched: up to where, and the live events that came meanwhile. */
  const filling = new Map<string, { upTo: number; readonly later: StreamEvent[] }>()
  const closing = new AbortController()

  client.on('event', (event) => {
    if (!rooms.has(event.subject)) return
    const gap = filling.get(event.subject)
    if (gap) gap.later.push(event)
    else recorder.read(event)
  })
  client.on('state', (state) => {
    if (client.counts.connections > 0 && state.kind === 'waiting') trouble(`cut off: ${state.reason}`)
  })
  client.on('rejected', ({ error }) => trouble(`refused: ${error.code}`))
  client.on('reset', ({ subject, head }) => {
    trouble('a reset')
    if (rooms.has(subject)) void fill(subject, head)
  })

  /** The page that a reset asks one to take: here all of it, since a history has no holes; what is after it, the client tells. */
  async function fill(room: string, head: number): Promise<void> {
    const gap = filling.get(room)
    if (gap) {
      gap.upTo = Math.max(gap.upTo, head)
      return
    }
    const mine = { upTo: head, later: [] as StreamEvent[] }
    filling.set(room, mine)
    for (let failures = 0; recorder.head(room) < mine.upTo && !closing.signal.aborted; ) {
      const after = recorder.head(room)
      try {
        const { items } = await options.api.events(roomId(room), { after, limit: PAGE })
        for (const event of items) if (event.seq <= mine.upTo) recorder.read(event)
        failures = recorder.head(room) > after ? 0 : failures + 1
      } catch {
        failures += 1
      }
      if (failures > 0)
        await pause(systemScheduler, backoffMs(failures, 100, 2_000, options.random), closing.signal)
    }
    filling.delete(room)
    for (const event of mine.later) if (event.seq > mine.upTo) recorder.read(event)
  }

  client.connect()
  return {
    name: options.name,
    actor: options.actor,
    sends: recorder.sends,
    reads: recorder.reads,
    skips: recorder.skips,
    get waiting() {
      return recorder.waiting
    },
    head: recorder.head,
    say(room, text) {
      const { id, outcome } = client.command('chat.message.send.v1', room, { text })
      recorder.sent(id, room, text)
      outcome.then(
        ({ seq }) => recorder.outcome(id, { kind: 'acked', seq }),
        (error: KlatschError) => {
          if (error.code !== 'server.timeout') recorder.outcome(id, refusal(error.code))
        },
      )
    },
    get state() {
      const { kind } = client.state
      const { connections, diverged } = client.counts
      return `${kind}, ${connections} connections, ${recorder.waiting} waiting, ${diverged} diverged`
    },
    async close() {
      closing.abort()
      await client.close()
    },
  }
}
