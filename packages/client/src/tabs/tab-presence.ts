import type { PresenceData } from '@klatsch/contracts'
import type { ClientEvents, ClientPresence, OwnPresence } from '../types.ts'
import type { Wishes } from './messages.ts'

type Told = 'presence' | 'typing' | 'online'

interface TabPresenceOptions {
  readonly now: () => number
  /** What this tab wants or says changed. */
  readonly changed: () => void
  readonly type: (room: string, on: boolean) => void
  readonly tell: <K extends Told>(name: K, value: ClientEvents[K]) => void
}

/** One tab's view of who is here: of what the leader is told, what this tab watches. */
export class TabPresence implements ClientPresence {
  readonly #options: TabPresenceOptions
  readonly #people = new Map<string, PresenceData>()
  readonly #typing = new Map<string, readonly string[]>()
  readonly #online = new Map<string, number>()
  #users: ReadonlySet<string> = new Set()
  #rooms: ReadonlySet<string> = new Set()
  #idle: boolean | undefined
  #choices: Wishes['choices']

  constructor(options: TabPresenceOptions) {
    this.#options = options
  }

  get wishes(): Pick<Wishes, 'users' | 'rooms' | 'idle' | 'choices'> {
    return {
      users: [...this.#users],
      rooms: [...this.#rooms],
      ...(this.#idle === undefined ? {} : { idle: this.#idle }),
      ...(this.#choices === undefined ? {} : { choices: this.#choices }),
    }
  }

  get people(): ReadonlyMap<string, PresenceData> {
    return this.#people
  }

  typingIn(room: string): readonly string[] {
    return this.#typing.get(room) ?? []
  }

  onlineIn(room: string): number | undefined {
    return this.#online.get(room)
  }

  watch({ users = [], rooms = [] }: { users?: Iterable<string>; rooms?: Iterable<string> }): void {
    this.#users = new Set(users)
    this.#rooms = new Set(rooms)
    for (const user of this.#people.keys()) if (!this.#users.has(user)) this.#people.delete(user)
    for (const kept of [this.#typing, this.#online]) {
      for (const room of kept.keys()) if (!this.#rooms.has(room)) kept.delete(room)
    }
    this.#options.changed()
  }

  say({ idle, ...choices }: OwnPresence): void {
    if (idle !== undefined) this.#idle = idle
    if (Object.keys(choices).length > 0) {
      this.#choices = { ...this.#choices, ...choices, at: this.#options.now() }
    }
    this.#options.changed()
  }

  type(room: string, on = true): void {
    this.#options.type(room, on)
  }

  presence(value: ClientEvents['presence']): void {
    const { user, ...data } = value
    if (!this.#users.has(user) || same(this.#people.get(user), data)) return
    this.#people.set(user, data)
    this.#options.tell('presence', value)
  }

  typing(value: ClientEvents['typing']): void {
    if (!this.#rooms.has(value.room) || same(this.typingIn(value.room), value.users)) return
    this.#typing.set(value.room, value.users)
    this.#options.tell('typing', value)
  }

  online(value: ClientEvents['online']): void {
    if (!this.#rooms.has(value.room) || this.#online.get(value.room) === value.count) return
    this.#online.set(value.room, value.count)
    this.#options.tell('online', value)
  }
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)
