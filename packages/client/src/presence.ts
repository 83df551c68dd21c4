import {
  type ClientFrameInput,
  type PassingEvent,
  type PresenceData,
  presenceEventTypes,
  type StreamEvent,
  streamId,
} from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'
import type { ClientEvents, ClientPresence, OwnPresence } from './types.ts'

/** Who goes on typing says so again after so long: well before others take it back by themselves. */
const TYPING_AGAIN_MS = 3_000

type Told = 'presence' | 'typing' | 'online'

interface PresenceOptions {
  readonly scheduler: Scheduler
  /** Sends a frame if there is a connection. */
  readonly send: (frame: ClientFrameInput) => boolean
  readonly tell: <K extends Told>(name: K, value: ClientEvents[K]) => void
}

/** Who is here and who is typing, as far as one watches; and what one says oneself, said again after each welcome. */
export class Presence implements ClientPresence {
  readonly #options: PresenceOptions
  readonly #people = new Map<string, PresenceData>()
  /** By room and user: what to stop when it is said again or taken back. */
  readonly #typing = new Map<string, Map<string, () => void>>()
  readonly #online = new Map<string, number>()
  #users: ReadonlySet<string> = new Set()
  #rooms: ReadonlySet<string> = new Set()
  #own: OwnPresence = {}
  #saidTyping: { readonly room: string; readonly at: number } | undefined
  #user: string | undefined
  /** People whose state was not told on this connection yet: what is told first counts, whatever its version. */
  #stale = new Set<string>()

  constructor(options: PresenceOptions) {
    this.#options = options
  }

  get people(): ReadonlyMap<string, PresenceData> {
    return this.#people
  }

  onlineIn(room: string): number | undefined {
    return this.#online.get(room)
  }

  typingIn(room: string): readonly string[] {
    return [...(this.#typing.get(room)?.keys() ?? [])]
  }

  watch({ users = [], rooms = [] }: { users?: Iterable<string>; rooms?: Iterable<string> }): void {
    this.#users = new Set(users)
    this.#rooms = new Set(rooms)
    for (const user of this.#people.keys()) if (!this.#users.has(user)) this.#people.delete(user)
    for (const room of [...this.#typing.keys()]) if (!this.#rooms.has(room)) this.#forgetTyping(room)
    for (const room of this.#online.keys()) if (!this.#rooms.has(room)) this.#online.delete(room)
    this.#sayWatch()
  }

  say(own: OwnPresence): void {
    const news = Object.entries(own).filter(([name, value]) => this.#own[name as keyof OwnPresence] !== value)
    if (news.length === 0) return
    this.#own = { ...this.#own, ...own }
    this.#saySelf(Object.fromEntries(news))
  }

  type(room: string, on = true): void {
    const now = this.#options.scheduler.now()
    const said = this.#saidTyping
    if (on && said?.room === room && now - said.at < TYPING_AGAIN_MS) return
    if (!on && said?.room !== room) return
    this.#saidTyping = on ? { room, at: now } : undefined
    this.#options.send({ type: 'signal', subject: room, signal: 'typing', data: { typing: on } })
  }

  /** A new connection knows nothing of what was said on the one before. */
  welcome(user: string): void {
    this.#user = user
    this.#stale = new Set(this.#people.keys())
    this.#saidTyping = undefined
    this.#saySelf(this.#own)
    if (this.#users.size > 0 || this.#rooms.size > 0) this.#sayWatch()
  }

  /** Nobody is known to be typing any more; states stay as they were last told. */
  closed(): void {
    for (const room of [...this.#typing.keys()]) this.#forgetTyping(room)
  }

  passing(event: PassingEvent): void {
    if (event.type === presenceEventTypes.typing) {
      const { user, typing, forMs } = event.data
      if (this.#rooms.has(event.subject)) this.#setTyping(event.subject, user, typing ? forMs : 0)
      return
    }
    if (event.type === presenceEventTypes.room) {
      if (!this.#rooms.has(event.subject)) return
      this.#online.set(event.subject, event.data.online)
      this.#options.tell('online', { room: event.subject, count: event.data.online })
      return
    }
    const user = streamId(event.subject)
    if (!this.#users.has(user)) return
    const before = this.#stale.delete(user) ? undefined : this.#people.get(user)
    if (before && before.version >= event.data.version) return
    this.#people.set(user, event.data)
    this.#options.tell('presence', { user, ...event.data })
  }

  /** Whoever sent a message has typed it. */
  event(event: StreamEvent): void {
    if (event.type === 'chat.message.sent.v1') this.#setTyping(event.subject, streamId(event.actor), 0)
  }

  #setTyping(room: string, user: string, forMs: number): void {
    const there = this.#typing.get(room)
    const cancel = there?.get(user)
    cancel?.()
    if (forMs > 0) {
      const again = this.#options.scheduler.after(forMs, () => this.#setTyping(room, user, 0))
      if (there) there.set(user, again)
      else this.#typing.set(room, new Map([[user, again]]))
      if (!cancel) this.#tellTyping(room)
    } else if (there?.delete(user)) {
      if (there.size === 0) this.#typing.delete(room)
      this.#tellTyping(room)
    }
  }

  #forgetTyping(room: string): void {
    for (const cancel of this.#typing.get(room)?.values() ?? []) cancel()
    if (this.#typing.delete(room)) this.#tellTyping(room)
  }

  #tellTyping(room: string): void {
    this.#options.tell('typing', { room, users: this.typingIn(room) })
  }

  #sayWatch(): void {
    this.#options.send({ type: 'watch', users: [...this.#users], rooms: [...this.#rooms] })
  }

  #saySelf(data: OwnPresence): void {
    if (this.#user === undefined || Object.keys(data).length === 0) return
    this.#options.send({ type: 'signal', subject: `user:${this.#user}`, signal: 'presence', data })
  }
}
