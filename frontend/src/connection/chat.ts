import type { Api, Client, ClientEvents, Outcome } from '@klatsch/client'
import {
  type Audit,
  type CommandInput,
  KlatschError,
  knownEvent,
  type PublicCommandType,
  type Room,
  type StreamEvent,
  streamId,
  type User,
} from '@klatsch/contracts'
import { oneAtATime } from '../lib/one-at-a-time.ts'
import { initialState } from '../state/state.ts'
import { createStore, type Store } from '../state/store.ts'
import { gapOf } from '../state/timeline.ts'
import { keepFollowing } from './following.ts'
import { type Checks, history } from './history.ts'
import { keepLocally, seenBefore } from './keep.ts'
import { names } from './names.ts'
import { keepPresence, type PresenceKeeper } from './presence.ts'

/** A room of which a digest says that it is not as it was is asked for again so often at most. */
const REFRESH_MS = 10_000
const SETTLE_MS = 500
/** Digests of all rooms are here after so long, and the list of rooms. */
const TAILS_MS = 2_000
const MAX_TAILS = 20
const MAX_MEMBER_PAGES = 5
const MEMBER_PAGE = 200

/** Everything one logged-in person can do and see. */
export interface Chat {
  readonly store: Store
  readonly presence: Omit<PresenceKeeper, 'stop'>
  /** Ends everything; what is in the outbox is kept for the next time. */
  close(): Promise<void>
  /** Connects now instead of when the wait is over. */
  tryNow(): void
  /** Loads the end of a room, also again after it failed. Answers false for a room that cannot be seen. */
  open(subject: string): Promise<boolean>
  older(subject: string): void
  settled(subject: string): void
  /** The room whose end someone looks at. */
  watch(subject: string | undefined): void
  /** The room is no longer shown: when it is again, what was new then is not new any more. */
  leaveScreen(subject: string): void
  loadMembers(subject: string): Promise<void>
  loadRooms(): Promise<void>
  publicRooms(): Promise<readonly Room[]>
  /** What this page has checked since it was opened: what came live, and what it fetched. */
  counts(): Checks
  /** What the server has compared. */
  audit(): Promise<Audit>
  send(subject: string, text: string): void
  retry(id: string): void
  discard(id: string): void
  create(room: CommandInput<'chat.room.create.v1'>): Promise<string>
  rename(subject: string, change: CommandInput<'chat.room.rename.v1'>): Promise<void>
  join(subject: string): Promise<void>
  leave(subject: string): Promise<void>
}

export interface ChatOptions {
  readonly me: User
  readonly api: Api
  readonly client: Client
}

/** Ties the client's events to the store, and answers what they leave open over HTTP. */
export function createChat({ me, api, client }: ChatOptions): Chat {
  const store = createStore(initialState(me, seenBefore(me.id)))
  const { dispatch } = store
  const people = names(store, api)
  const pages = history({
    store,
    api,
    firstOf: (subject) =>
      client.streams.get(subject)?.position?.first ?? store.get().rooms[subject]?.first ?? 1,
    reached: (subject) => {
      const stream = client.streams.get(subject)
      return stream?.live && stream.mode === 'full' ? stream.cursor?.seq : undefined
    },
    learn: people.need,
  })
  const stopKeeping = keepLocally(store)
  const presence = keepPresence(store, client)
  const following = keepFollowing(store, client)
  /** When rooms were asked for again because of a digest, and those that will be. */
  const refreshed = new Map<string, number>()
  const waiting = new Set<string>()
  let closed = false

  /** Asks again what the server says of a room. Answers whether this person may see it. */
  const refresh = oneAtATime(async (subject: string): Promise<boolean> => {
    try {
      dispatch({ type: 'room', room: await api.room(streamId(subject)) })
      if (store.get().rooms[subject]?.timeline) void pages.latest(subject)
      return true
    } catch (error) {
      if (!(error instanceof KlatschError) || error.code !== 'room.not_found') return true
      dispatch({ type: 'room-gone', subject })
      return false
    }
  })

  const subscriptions = [
    client.on('state', (connection) => dispatch({ type: 'connection', connection })),
    client.on('welcome', (frame) => {
      dispatch({ type: 'people', people: [frame.user] })
      people.again()
      // Another tab may have been told before this one was there.
      for (const [subject, { digest }] of client.streams) if (digest) digested({ subject, ...digest })
      void loadRooms().then(retryLoads)
      setTimeout(() => void loadTails(), TAILS_MS)
    }),
    client.on('event', received),
    client.on('digest', digested),
    client.on('live', ({ subject }) => void pages.fill(subject)),
    client.on('reset', ({ subject }) => {
      dispatch({ type: 'reset', subject })
      void refresh(subject).then(() => pages.latest(subject))
    }),
    client.on('unfollowed', ({ subject }) => void refresh(subject).then(() => following.lost(subject))),
    client.on('outbox', (outbox) => dispatch({ type: 'outbox', outbox })),
    client.on('rejected', ({ command, error }) =>
      dispatch({ type: 'rejected', command, code: error.code, detail: error.message }),
    ),
    client.on('storageFailed', () => dispatch({ type: 'storage-failed' })),
  ]
  client.connect()
  void loadRooms()

  function received(event: StreamEvent): void {
    dispatch({ type: 'event', event })
    const known = knownEvent(event)
    switch (known?.type) {
      case 'chat.membership.added.v1':
      case 'chat.membership.removed.v1':
        void refresh(known.data.room)
        return
      case 'chat.member.joined.v1':
      case 'chat.member.left.v1':
        people.need([known.data.user])
        if (known.data.user === me.id) void refresh(event.subject)
        break
      case 'chat.message.sent.v1':
        people.need([streamId(event.actor)])
        break
      case 'chat.room.created.v1':
      case 'chat.room.renamed.v1':
      case undefined:
        break
    }
    const timeline = store.get().rooms[event.subject]?.timeline
    if (timeline && gapOf(timeline)) void pages.fill(event.subject)
  }

  function digested({ subject, ...tail }: ClientEvents['digest']): void {
    dispatch({ type: 'digest', subject, tail })
    if (!waiting.has(subject) && isStale(subject)) refreshSoon(subject)
  }

  /** Something else than messages has happened there: its name or its members may be others now. */
  function isStale(subject: string): boolean {
    const { rooms, tails } = store.get()
    const [room, tail] = [rooms[subject], tails[subject]]
    return (
      room !== undefined &&
      tail !== undefined &&
      tail.head > room.head &&
      tail.head - tail.messageNo !== room.others
    )
  }

  function refreshSoon(subject: string): void {
    waiting.add(subject)
    const wait = (refreshed.get(subject) ?? 0) + REFRESH_MS - Date.now()
    const ask = () => {
      waiting.delete(subject)
      // The list of rooms may have told it meanwhile.
      if (closed || !isStale(subject)) return
      refreshed.set(subject, Date.now())
      void refresh(subject)
    }
    setTimeout(ask, Math.max(SETTLE_MS, wait))
  }

  async function loadRooms(): Promise<void> {
    try {
      const rooms = await allRooms('mine')
      const listed = new Set(rooms.map((room) => `room:${room.id}`))
      dispatch({ type: 'rooms', rooms })
      const gone = Object.values(store.get().rooms).filter((room) => room.member && !listed.has(room.subject))
      for (const { subject } of gone) void refresh(subject)
    } catch {
      dispatch({ type: 'rooms-failed' })
    }
  }

  async function allRooms(scope: 'mine' | 'public'): Promise<readonly Room[]> {
    const rooms: Room[] = []
    for (let after: string | undefined; ; ) {
      const { items, next } = await api.rooms(scope, after === undefined ? {} : { after })
      rooms.push(...items)
      if (next === undefined || items.length === 0) return rooms
      after = String(next)
    }
  }

  /** The list is ordered by what happened last; of the few rooms that nothing else has told it of, their last event does. */
  async function loadTails(): Promise<void> {
    const unknown = Object.values(store.get().rooms).filter(
      ({ member, head, lastAt }) => member && head > 0 && lastAt === undefined,
    )
    for (const { subject, head, lastMessageNo: messageNo } of unknown.slice(0, MAX_TAILS)) {
      if (closed) return
      const page = await api.events(streamId(subject), { after: head - 1, limit: 1 }).catch(() => undefined)
      const last = page?.items.at(-1)
      if (last) dispatch({ type: 'digest', subject, tail: { head, messageNo, lastActivity: last.time } })
    }
  }

  function retryLoads(): void {
    for (const { subject, timeline, members } of Object.values(store.get().rooms)) {
      if (timeline?.failed) void pages.latest(subject)
      if (members?.status === 'failed') void loadMembers(subject)
    }
  }

  async function loadMembers(subject: string): Promise<void> {
    dispatch({ type: 'members-load', subject })
    try {
      let after: string | undefined
      for (let page = 1; ; page += 1) {
        const { items, next } = await api.members(streamId(subject), {
          limit: MEMBER_PAGE,
          ...(after === undefined ? {} : { after }),
        })
        const more = next !== undefined && items.length > 0
        dispatch({ type: 'people', people: items.map((member) => member.user) })
        const joined = Object.fromEntries(items.map((member) => [member.user.id, member.joinedSeq]))
        const status = !more ? 'complete' : page === MAX_MEMBER_PAGES ? 'partial' : 'loading'
        dispatch({ type: 'members', subject, joined, status })
        if (status !== 'loading') return
        after = String(next)
      }
    } catch {
      dispatch({ type: 'members-failed', subject })
    }
  }

  async function command<T extends PublicCommandType>(
    type: T,
    subject: string | undefined,
    data: CommandInput<T>,
  ): Promise<Outcome> {
    return client.command(type, subject, data).outcome
  }

  function send(subject: string, text: string): void {
    dispatch({ type: 'caught-up', subject })
    presence.type(subject, false)
    const { id, outcome } = client.command('chat.message.send.v1', subject, { text })
    outcome.catch((error: unknown) => {
      // Closing leaves outcomes open; those commands are still in the storage.
      if (closed || !(error instanceof KlatschError)) return
      const command = {
        id,
        type: 'chat.message.send.v1',
        subject,
        data: { text },
        at: Date.now(),
        state: 'queued',
      } as const
      dispatch({ type: 'rejected', command, code: error.code, detail: error.message })
    })
  }

  return {
    store,
    presence,
    async close() {
      closed = true
      for (const stop of subscriptions) stop()
      stopKeeping()
      presence.stop()
      following.stop()
      await client.close()
    },
    tryNow: () => client.connect(),
    async open(subject) {
      if (store.get().rooms[subject] === undefined && !(await refresh(subject))) return false
      following.look(subject)
      await pages.latest(subject)
      return store.get().rooms[subject] !== undefined
    },
    older: (subject) => void pages.older(subject),
    settled: pages.settled,
    leaveScreen: (subject) => dispatch({ type: 'caught-up', subject }),
    watch: (subject) => dispatch({ type: 'watch', subject }),
    loadMembers,
    loadRooms,
    publicRooms: () => allRooms('public'),
    counts() {
      const { counts: live } = client
      const { counts: fetched } = pages
      return {
        checked: live.checked + fetched.checked,
        diverged: live.diverged + fetched.diverged,
        healed: live.healed + fetched.healed,
      }
    },
    audit: api.audit,
    send,
    retry(id) {
      const message = store.get().sending.find((one) => one.id === id)
      if (message?.state !== 'failed') return
      dispatch({ type: 'discard', id })
      send(message.room, message.text)
    },
    discard: (id) => dispatch({ type: 'discard', id }),
    async create(room) {
      const { subject } = await command('chat.room.create.v1', undefined, room)
      await refresh(subject)
      return subject
    },
    async rename(subject, change) {
      await command('chat.room.rename.v1', subject, change)
    },
    async join(subject) {
      await command('chat.room.join.v1', subject, {})
      await refresh(subject)
    },
    async leave(subject) {
      await command('chat.room.leave.v1', subject, {})
      await refresh(subject)
    },
  }
}
