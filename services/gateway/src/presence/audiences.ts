import {
  type Audience,
  audienceSchema,
  presenceEventTypes,
  presenceTimes,
  type RoomPresence,
  topics,
} from '@klatsch/contracts'
import type { IncomingRecord, Publisher } from '@klatsch/event-bus'
import type { Scheduler } from '@klatsch/streams'
import { textFrame } from '../connections/text-frame.ts'

const { audienceEveryMs, audienceMs } = presenceTimes
/** News (a room on a screen that was on none, the counts of another gateway) wait so long for more. */
const SOON_MS = 250

export interface AudiencesOptions {
  readonly publisher: Publisher
  readonly gateway: string
  readonly scheduler: Scheduler
  /** The time of day; the scheduler's when absent. */
  readonly wall?: () => number
  /** Rooms that are on screens here. */
  readonly wanted: () => Iterable<string>
  /** How many people whose home is here follow the room. */
  readonly local: (room: string) => number
  /** The count of a room on a screen is another one now. */
  readonly changed: (room: string) => void
}

/**
 * How many people are in the rooms on somebody's screen, over all gateways: each says which rooms it wants counted and,
 * for those that any of them wants, how many it has. Soft state: what is not said again is forgotten.
 */
export class Audiences {
  readonly #options: AudiencesOptions
  readonly #others = new Map<string, { at: number; wants: readonly string[]; counts: Map<string, number> }>()
  readonly #frames = new Map<string, { online: number; frame: Buffer }>()
  #saying = false
  #counting = false
  #cancel: () => void

  constructor(options: AudiencesOptions) {
    this.#options = options
    this.#cancel = options.scheduler.after(audienceEveryMs, () => this.#turn())
  }

  frame(room: string): Buffer | undefined {
    return this.#frames.get(room)?.frame
  }

  /** A room is on a screen here, and was on none. */
  want(): void {
    this.#saySoon()
    this.#countSoon()
  }

  take(record: IncomingRecord): void {
    const { scheduler, gateway } = this.#options
    const parsed = audienceSchema.safeParse(parse(record))
    if (!parsed.success || parsed.data.gateway === gateway) return
    const { wants, counts } = parsed.data
    const before = this.#others.get(parsed.data.gateway)
    this.#others.set(parsed.data.gateway, {
      at: scheduler.now(),
      wants,
      counts: new Map(counts.map(({ room, users }) => [room, users])),
    })
    if (wants.some((room) => !before?.wants.includes(room) && this.#options.local(room) > 0)) this.#saySoon()
    this.#countSoon()
  }

  close(): void {
    this.#cancel()
  }

  #turn(): void {
    this.#say()
    this.#count()
    this.#cancel = this.#options.scheduler.after(audienceEveryMs, () => this.#turn())
  }

  #saySoon(): void {
    if (this.#saying) return
    this.#saying = true
    this.#options.scheduler.after(SOON_MS, () => {
      this.#saying = false
      this.#say()
    })
  }

  #countSoon(): void {
    if (this.#counting) return
    this.#counting = true
    this.#options.scheduler.after(SOON_MS, () => {
      this.#counting = false
      this.#count()
    })
  }

  #say(): void {
    const { publisher, gateway, local } = this.#options
    const wants = [...this.#options.wanted()]
    const anywhere = new Set([...wants, ...this.#fresh().flatMap((other) => other.wants)])
    const counts = [...anywhere]
      .map((room) => ({ room, users: local(room) }))
      .filter(({ users }) => users > 0)
    if (wants.length === 0 && counts.length === 0) return
    const value: Audience = { gateway, wants, counts }
    const topic = topics.presenceAudiences.name
    // What does not arrive is said again in a moment.
    publisher.publish([{ topic, key: gateway, value: JSON.stringify(value), headers: {} }]).catch(() => {})
  }

  #count(): void {
    const wanted = new Set(this.#options.wanted())
    for (const room of this.#frames.keys()) if (!wanted.has(room)) this.#frames.delete(room)
    const others = this.#fresh()
    for (const room of wanted) {
      const online = others.reduce(
        (sum, { counts }) => sum + (counts.get(room) ?? 0),
        this.#options.local(room),
      )
      if (this.#frames.get(room)?.online === online) continue
      this.#frames.set(room, { online, frame: this.#frameOf(room, online) })
      this.#options.changed(room)
    }
  }

  #fresh() {
    const now = this.#options.scheduler.now()
    for (const [name, { at }] of this.#others) if (now - at > audienceMs) this.#others.delete(name)
    return [...this.#others.values()]
  }

  #frameOf(room: string, online: number): Buffer {
    const { scheduler, wall = () => scheduler.now() } = this.#options
    const time = new Date(wall()).toISOString()
    const event: RoomPresence = {
      specversion: '1.0',
      id: `${this.#options.gateway}-${time}-${room}`,
      source: 'presence',
      type: presenceEventTypes.room,
      subject: room,
      time,
      datacontenttype: 'application/json',
      data: { online },
    }
    return textFrame(Buffer.from(JSON.stringify(event)))
  }
}

function parse(record: IncomingRecord): unknown {
  try {
    return JSON.parse(record.value.toString())
  } catch {
    return undefined
  }
}
