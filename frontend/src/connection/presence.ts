import type { Client, OwnPresence } from '@klatsch/client'
import { limits } from '@klatsch/contracts'
import { onOtherTab, readLocal, writeLocal } from '../lib/local.ts'
import type { Store } from '../state/store.ts'

/** Whoever touches nothing for so long is away. */
const IDLE_MS = 5 * 60_000
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'focus'] as const

/** What a person chose to be seen as; kept on this device. */
export interface Choices {
  readonly dnd: boolean
  readonly hideLastSeen: boolean
}

export interface PresenceKeeper {
  readonly choices: Choices
  choose(choices: Choices): void
  /** The room that is open, with the members of it that are loaded. */
  look(subject: string | undefined): void
  type(subject: string, on: boolean): void
  stop(): void
}

const choicesIn = (value: unknown): Choices => {
  const { dnd, hideLastSeen } = (value ?? {}) as Partial<Choices>
  return { dnd: dnd === true, hideLastSeen: hideLastSeen === true }
}

/** Tells the server what is on the screen, what this person chose and whether somebody sits here; and the store the rest. */
export function keepPresence(store: Store, client: Pick<Client, 'on' | 'presence'>): PresenceKeeper {
  const { dispatch } = store
  const { presence } = client
  const key = `klatsch.presence.${store.get().me.id}`
  let choices = choicesIn(readLocal(key))
  let room: string | undefined
  let watched = ''
  let timer: ReturnType<typeof setTimeout> | undefined

  const say = (own: OwnPresence) => presence.say(own)
  const chosen = (): OwnPresence => ({
    ...(choices.dnd ? { dnd: true } : {}),
    ...(choices.hideLastSeen ? { hideLastSeen: true } : {}),
  })
  // Where nothing was chosen, another device may have.
  say(chosen())

  function sign(): void {
    say({ idle: false })
    clearTimeout(timer)
    timer = setTimeout(() => say({ idle: true }), IDLE_MS)
  }
  sign()
  for (const name of SIGNS) addEventListener(name, sign, { passive: true })

  function watch(): void {
    const state = store.get()
    const here = room === undefined ? undefined : state.rooms[room]
    const users = [state.me.id, ...Object.keys(here?.members?.joined ?? {})].slice(0, limits.watchedUsers)
    const rooms = here?.member ? [here.subject] : []
    const now = [...rooms, ...users].join()
    if (now === watched) return
    watched = now
    presence.watch({ users: new Set(users), rooms })
  }

  const stops = [
    store.subscribe(watch),
    client.on('presence', ({ user, ...data }) => dispatch({ type: 'present', user, presence: data })),
    client.on('typing', ({ room, users }) => dispatch({ type: 'typing', room, users })),
    client.on('online', ({ room, count }) => dispatch({ type: 'online', room, count })),
    onOtherTab(key, (value) => {
      choices = choicesIn(value)
    }),
  ]

  return {
    get choices() {
      return choices
    },
    choose(next) {
      choices = next
      writeLocal(key, choices)
      say(choices)
    },
    look(subject) {
      room = subject
      watch()
    },
    type: (subject, on) => presence.type(subject, on),
    stop() {
      clearTimeout(timer)
      for (const name of SIGNS) removeEventListener(name, sign)
      for (const end of stops) end()
    },
  }
}
