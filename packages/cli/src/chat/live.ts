import { createClient } from '@klatsch/client'
import {
  KlatschError,
  knownEvent,
  limits,
  type Room,
  roomSubject,
  type StreamEvent,
  streamId,
  verifyEvent,
} from '@klatsch/contracts'
import { allRooms, type Entry, enterRoom, socketUrl } from './login.ts'
import { names } from './names.ts'
import { type Action, initialState, reduce, type State } from './state.ts'

/** Events of one page of history. */
const PAGE = 80
const MAX_MEMBERS = 1_000
/** Whoever presses no key for so long is away. */
const IDLE_MS = 5 * 60_000

/** Everything one can do and see in a terminal. */
export interface Live {
  readonly state: State
  /** The room on the screen: its history and members are loaded. `atEnd`: what comes there is seen. */
  look(subject: string, atEnd: boolean): void
  /** Loads the page above what is there, or the end of the room when nothing is. */
  load(subject: string): void
  send(subject: string, text: string): void
  retry(subject: string): number
  discard(subject: string): number
  join(name: string): Promise<string>
  create(name: string): Promise<string>
  leave(subject: string): Promise<void>
  typing(subject: string, on: boolean): void
  /** A key was pressed. */
  touch(): void
  /** Answers how many messages of one's own are not known to have been sent. */
  close(): Promise<number>
}

/** Ties the client's events to the state, and fetches over HTTP what they leave open. */
export function goLive(url: string, { api, session, me }: Entry, changed: () => void): Live {
  let state = initialState(me)
  let looking: string | undefined
  let watched = ''
  let idle: ReturnType<typeof setTimeout> | undefined
  let closed = false
  const busy = new Set<string>()
  const client = createClient({ url: socketUrl(url), token: (stale) => session.token(stale) })
  const who = names(api, (people) => dispatch({ type: 'people', people }))

  function dispatch(action: Action): void {
    state = reduce(state, action)
    changed()
  }

  /** One at a time of each kind; what fails is tried again when it is needed again. */
  async function once(key: string, task: () => Promise<void>): Promise<void> {
    if (busy.has(key)) return
    busy.add(key)
    try {
      await task()
    } finally {
      busy.delete(key)
    }
  }

  async function refresh(subject: string): Promise<void> {
    try {
      take([await api.room(streamId(subject))])
    } catch (error) {
      if (error instanceof KlatschError && error.code === 'room.not_found')
        dispatch({ type: 'room-gone', subject })
    }
  }

  function take(rooms: readonly Room[]): void {
    dispatch({ type: 'rooms', rooms: rooms.filter((room) => room.member) })
    for (const room of rooms) if (!room.member) dispatch({ type: 'room-gone', subject: roomSubject(room.id) })
    lookAgain()
  }

  async function loadRooms(): Promise<void> {
    try {
      const rooms = await allRooms(api, 'mine')
      const listed = new Set(rooms.map((room) => roomSubject(room.id)))
      for (const subject of state.rooms.keys()) if (!listed.has(subject)) void refresh(subject)
      take(rooms)
    } catch {
      // Tried again after the next welcome.
    }
  }

  async function load(subject: string, after: number, upTo: number): Promise<void> {
    dispatch({ type: 'loading', subject })
    try {
      const { items } = await api.events(streamId(subject), { after, limit: Math.max(1, upTo - after) })
      const wrong = items.filter((event, index) => {
        const before = items[index - 1]
        return !verifyEvent(event) || (before !== undefined && before.chain !== event.prevchain)
      })
      const from = items[0]?.seq ?? after + 1
      // What is older than the answer to a question for it is not for this person.
      const first = from > after + 1 ? from : (client.streams.get(subject)?.position?.first ?? 1)
      dispatch({ type: 'checked', checked: items.length, diverged: wrong.length })
      dispatch({ type: 'page', subject, from, events: items, first })
      void who.need(items.flatMap(idsIn))
    } catch {
      dispatch({ type: 'load-failed', subject })
    }
  }

  /** Everything up to the cursor comes as a page, everything after it as events: nothing is missing between. */
  const latest = (subject: string): Promise<void> =>
    once(`load ${subject}`, async () => {
      const room = state.rooms.get(subject)
      if (!room || room.loaded) return
      const head = client.streams.get(subject)?.cursor?.seq ?? room.head
      await load(subject, Math.max(0, head - PAGE), head)
    })

  const loadMembers = (subject: string): Promise<void> =>
    once(`members ${subject}`, async () => {
      if (state.rooms.get(subject)?.members) return
      const users = []
      try {
        for (let after: string | undefined; users.length < MAX_MEMBERS; ) {
          const page = await api.members(streamId(subject), {
            limit: limits.pageSize,
            ...(after === undefined ? {} : { after }),
          })
          users.push(...page.items.map((member) => member.user))
          if (page.next === undefined || page.items.length === 0) break
          after = String(page.next)
        }
        dispatch({ type: 'members', subject, users })
        watch()
      } catch {
        // Asked for again when the room is looked at again.
      }
    })

  function watch(): void {
    const room = looking === undefined ? undefined : state.rooms.get(looking)
    const users = [...(room?.members ?? [])].slice(0, limits.watchedUsers)
    const key = [room?.subject, ...users].join()
    if (key === watched) return
    watched = key
    client.presence.watch({ users, rooms: room ? [room.subject] : [] })
  }

  function lookAgain(): void {
    if (looking === undefined || client.state.kind !== 'connected') return
    void latest(looking)
    void loadMembers(looking)
    watch()
  }

  function received(event: StreamEvent): void {
    dispatch({ type: 'event', event })
    dispatch({ type: 'checked', checked: 1, diverged: 0 })
    void who.need(idsIn(event))
    const known = knownEvent(event)
    if (known?.type === 'chat.membership.added.v1' || known?.type === 'chat.membership.removed.v1')
      void refresh(known.data.room)
    if (known?.type === 'chat.member.joined.v1' || known?.type === 'chat.member.left.v1') {
      if (known.data.user === me.id) void refresh(event.subject)
      watch()
    }
  }

  const stops = [
    client.on('state', (connection) => dispatch({ type: 'connection', connection })),
    client.on('welcome', () => void loadRooms().then(lookAgain)),
    client.on('event', received),
    client.on('reset', ({ subject }) => {
      dispatch({ type: 'reset', subject })
      void refresh(subject)
    }),
    client.on('unfollowed', ({ subject }) => void refresh(subject)),
    client.on('outbox', (outbox) => dispatch({ type: 'outbox', outbox })),
    client.on('diverged', () => dispatch({ type: 'checked', checked: 0, diverged: 1 })),
    client.on('presence', ({ user, ...presence }) => dispatch({ type: 'presence', user, presence })),
    client.on('typing', ({ room, users }) => {
      void who.need(users)
      dispatch({ type: 'typing', room, users })
    }),
    client.on('online', ({ room, count }) => dispatch({ type: 'online', room, count })),
  ]
  client.connect()

  function send(subject: string, text: string): void {
    client.presence.type(subject, false)
    const { id, outcome } = client.command('chat.message.send.v1', subject, { text })
    dispatch({ type: 'written', message: { id, room: subject, text, at: Date.now(), state: 'waiting' } })
    dispatch({ type: 'outbox', outbox: client.outbox })
    outcome.catch((error: unknown) => {
      // Closing leaves outcomes open.
      if (!closed) dispatch({ type: 'refused', id, reason: `${(error as Error).message}.` })
    })
  }

  const failedIn = (subject: string) =>
    state.sending.filter((message) => message.room === subject && message.state === 'failed')

  function touch(): void {
    clearTimeout(idle)
    client.presence.say({ idle: false })
    idle = setTimeout(() => client.presence.say({ idle: true }), IDLE_MS)
  }
  touch()

  return {
    get state() {
      return state
    },
    look(subject, atEnd) {
      const end = atEnd ? subject : undefined
      if (end !== state.looking) dispatch({ type: 'look', subject: end })
      if (subject === looking) return
      looking = subject
      lookAgain()
    },
    load(subject) {
      const { loaded, first = 1 } = state.rooms.get(subject) ?? {}
      if (!loaded) void latest(subject)
      else if (loaded.from > first)
        void once(`load ${subject}`, () =>
          load(subject, Math.max(first - 1, loaded.from - 1 - PAGE), loaded.from - 1),
        )
    },
    send,
    retry(subject) {
      const failed = failedIn(subject)
      for (const { id, text } of failed) {
        dispatch({ type: 'discard', id })
        send(subject, text)
      }
      return failed.length
    },
    discard(subject) {
      const failed = failedIn(subject)
      for (const { id } of failed) dispatch({ type: 'discard', id })
      return failed.length
    },
    async join(name) {
      const room = await enterRoom(api, name)
      await refresh(roomSubject(room.id))
      return roomSubject(room.id)
    },
    async create(name) {
      const { subject } = await client.command('chat.room.create.v1', undefined, { name }).outcome
      await refresh(subject)
      return subject
    },
    async leave(subject) {
      await client.command('chat.room.leave.v1', subject, {}).outcome
      await refresh(subject)
    },
    typing: (subject, on) => client.presence.type(subject, on),
    touch,
    async close() {
      closed = true
      clearTimeout(idle)
      for (const stop of stops) stop()
      const open = client.outbox.length
      await client.close()
      return open
    },
  }
}

function idsIn(event: StreamEvent): string[] {
  const known = knownEvent(event)
  const moved = known?.type === 'chat.member.joined.v1' || known?.type === 'chat.member.left.v1'
  return [streamId(event.actor), ...(moved ? [known.data.user] : [])]
}
