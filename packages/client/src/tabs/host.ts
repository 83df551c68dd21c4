import { type Cursor, type FollowMode, KlatschError, limits, type StreamEvent } from '@klatsch/contracts'
import type { Client, ClientEvents, FollowedStream, OwnPresence, PendingCommand } from '../types.ts'
import { type FromLeader, type FromTab, plainError, type Shown, type Tell, type Wishes } from './messages.ts'
import type { Recent } from './recent.ts'

const PASSED_ON = [
  'state',
  'event',
  'welcome',
  'reset',
  'digest',
  'live',
  'unfollowed',
  'accepted',
  'diverged',
  'presence',
  'typing',
  'online',
] as const

export interface HostOptions {
  readonly client: Client
  readonly term: number
  readonly hidden: () => boolean
  readonly recent: Recent
  /** What the client was made with. */
  readonly follow: 'all' | readonly string[]
  readonly mode: FollowMode
  /** To all tabs, this page's own among them. */
  readonly post: (message: FromLeader) => void
  /** Commands that are in the storage. */
  readonly kept: () => Promise<readonly PendingCommand[]>
  /** Calls when that tab is no more; the answer ends it. */
  readonly whenGone: (tab: string, gone: () => void) => () => void
}

interface Guest {
  wishes: Wishes
  readonly endWatch: () => void
}

/** The leader's part: it has the one client, tells all tabs what that tells, and wants of it what all tabs together want. */
export class Host {
  readonly #options: HostOptions
  readonly #guests = new Map<string, Guest>()
  /** What was asked of the client, by stream. */
  readonly #asked = new Map<string, FollowMode>()
  readonly #unfollowed = new Set<string>()
  #screen = ''
  #said: OwnPresence = {}
  #no = 0
  #tells: Tell[] = []
  #outboxChanged = false
  #streamsChanged: Set<string> | 'all' = new Set()
  #flushing = false
  #welcome: ClientEvents['welcome'] | undefined
  #ended = false

  constructor(options: HostOptions) {
    this.#options = options
    const { client } = options
    // What ended must be asked for anew, should a tab want it again.
    client.on('unfollowed', ({ subject }) => this.#asked.delete(subject))
    for (const name of PASSED_ON) client.on(name, (value: unknown) => this.#tell({ name, value } as Tell))
    client.on('rejected', ({ command, error }) =>
      this.#tell({ name: 'rejected', value: { command, error: plainError(error) } }),
    )
    client.on('storageFailed', ({ error }) =>
      this.#tell({ name: 'storageFailed', value: { error: String(error) } }),
    )
    client.on('outbox', () => {
      this.#outboxChanged = true
      this.#flushLater()
    })
  }

  /**
   * Says who leads, and how much was told: at the beginning, when this page is hidden or shown, and now and then, so that
   * whoever missed the last of it learns that.
   */
  announce(): void {
    if (this.#ended) return
    const { term, hidden, post } = this.#options
    post({ kind: 'lead', term, hidden: hidden(), no: this.#no })
  }

  receive(message: FromTab): void {
    if (this.#ended) return
    const { client } = this.#options
    switch (message.kind) {
      case 'join':
        this.#wish(message.tab, message.wishes)
        for (const command of message.pending) this.#command(command)
        this.#flush()
        this.#snapshot(message.tab, message.cursors)
        return
      case 'wishes':
        this.#wish(message.tab, message.wishes)
        if (message.rewind) client.follow(message.rewind.subject, { ...message.rewind, mode: 'full' })
        return
      case 'command':
        this.#command(message.command)
        return
      case 'typing':
        client.presence.type(message.room, message.on)
        return
      case 'connect':
        client.connect()
        return
      case 'leave':
        for (const command of message.pending) this.#command(command)
        return
      default:
        message satisfies never
    }
  }

  /** Tells nothing any more. The client is its owner's to close. */
  end(): void {
    this.#ended = true
    for (const { endWatch } of this.#guests.values()) endWatch()
    this.#guests.clear()
  }

  #command({ id, type, subject, data }: PendingCommand): void {
    this.#options.client.command(type, subject, data as never, { id }).outcome.catch((error: unknown) => {
      // Closed: the command is in the storage, and the next leader sends it.
      if (!(error instanceof KlatschError) || error.code === 'server.timeout') return
      this.#tell({ name: 'refused', value: { id, error: plainError(error) } })
    })
  }

  #wish(tab: string, wishes: Wishes): void {
    const guest = this.#guests.get(tab)
    if (guest) guest.wishes = wishes
    else {
      const endWatch = this.#options.whenGone(tab, () => this.#gone(tab))
      this.#guests.set(tab, { wishes, endWatch })
    }
    this.#apply()
  }

  #gone(tab: string): void {
    const guest = this.#guests.get(tab)
    if (!guest || this.#ended) return
    guest.endWatch()
    this.#guests.delete(tab)
    if (this.#guests.size > 0) this.#apply()
    // What it could tell nobody it left there. Commands that are known already stay what they are.
    void this.#options.kept().then(
      (commands) => {
        if (!this.#ended) for (const command of commands) this.#command(command)
      },
      () => {},
    )
  }

  #apply(): void {
    const all = [...this.#guests.values()].map((guest) => guest.wishes)
    this.#applyFollow(all)
    this.#applyScreen(all)
    this.#applyPresence(all)
  }

  /** In full what any tab wants in full; unfollowed what all tabs unfollowed. */
  #applyFollow(all: readonly Wishes[]): void {
    const { client, follow, mode } = this.#options
    const wanted = new Map<string, FollowMode>()
    for (const wishes of all) {
      for (const [subject, as] of Object.entries(wishes.follow)) {
        if (wanted.get(subject) !== 'full') wanted.set(subject, as)
      }
    }
    const usual = (subject: string) => follow === 'all' || follow.includes(subject)
    for (const [subject, as] of wanted) {
      // Where one tab wants less than what the others get unasked, they still get it.
      const less = as === 'digest' && mode === 'full' && usual(subject)
      const how = less && all.some((wishes) => !(subject in wishes.follow)) ? 'full' : as
      if (this.#asked.get(subject) === how && !this.#unfollowed.has(subject)) continue
      this.#asked.set(subject, how)
      this.#unfollowed.delete(subject)
      client.follow(subject, { mode: how })
    }
    for (const subject of this.#asked.keys()) {
      if (wanted.has(subject)) continue
      this.#asked.delete(subject)
      if (!client.streams.has(subject)) continue
      if (usual(subject)) client.follow(subject, { mode })
      else client.unfollow(subject)
    }
    const [first, ...others] = all
    const unfollowed = (first?.unfollow ?? []).filter((subject) =>
      others.every((wishes) => wishes.unfollow.includes(subject)),
    )
    for (const subject of unfollowed) {
      if (this.#unfollowed.has(subject)) continue
      this.#unfollowed.add(subject)
      this.#asked.delete(subject)
      client.unfollow(subject)
    }
    for (const subject of this.#unfollowed) {
      if (unfollowed.includes(subject)) continue
      this.#unfollowed.delete(subject)
      if (usual(subject)) client.follow(subject, { mode })
    }
  }

  #applyScreen(all: readonly Wishes[]): void {
    const users = [...new Set(all.flatMap((wishes) => wishes.users))].slice(0, limits.watchedUsers)
    const rooms = [...new Set(all.flatMap((wishes) => wishes.rooms))].slice(0, limits.watchedRooms)
    const screen = JSON.stringify([users, rooms])
    if (screen === this.#screen) return
    this.#screen = screen
    this.#options.client.presence.watch({ users, rooms })
  }

  /** Idle is who is idle in every tab; of the choices the latest counts. */
  #applyPresence(all: readonly Wishes[]): void {
    const known = all.filter((wishes) => wishes.idle !== undefined)
    const latest = all
      .flatMap((wishes) => (wishes.choices ? [wishes.choices] : []))
      .reduce<Wishes['choices']>((last, one) => (last && last.at >= one.at ? last : one), undefined)
    const { at: _, ...choices } = latest ?? { at: 0 }
    const own: OwnPresence = {
      ...(known.length === 0 ? {} : { idle: known.every((wishes) => wishes.idle) }),
      ...choices,
    }
    if (JSON.stringify(own) === JSON.stringify(this.#said)) return
    this.#said = own
    this.#options.client.presence.say(own)
  }

  #tell(tell: Tell): void {
    if (this.#ended) return
    this.#tells.push(tell)
    if (tell.name === 'welcome') this.#welcome = tell.value
    if (tell.name === 'welcome' || tell.name === 'state') this.#streamsChanged = 'all'
    else if (
      this.#streamsChanged !== 'all' &&
      (tell.name === 'live' || tell.name === 'reset' || tell.name === 'unfollowed' || tell.name === 'digest')
    ) {
      this.#streamsChanged.add(tell.value.subject)
    }
    this.#flushLater()
  }

  /** What happens in one turn is told together. */
  #flushLater(): void {
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    if (this.#ended || (this.#tells.length === 0 && !this.#outboxChanged)) return
    const { client, post, term } = this.#options
    const tells = this.#tells
    const streams = this.#changedStreams()
    const shown: Shown = {
      counts: client.counts,
      clockOffsetMs: client.clockOffsetMs,
      ...(this.#outboxChanged ? { outbox: client.outbox } : {}),
      ...(streams.length > 0 ? { streams } : {}),
    }
    this.#tells = []
    this.#outboxChanged = false
    this.#no += 1
    post({ kind: 'told', term, no: this.#no, tells, shown })
  }

  #changedStreams(): (readonly [string, FollowedStream | null])[] {
    const changed = this.#streamsChanged
    this.#streamsChanged = new Set()
    if (changed !== 'all' && changed.size === 0) return []
    const { streams } = this.#options.client
    const subjects = changed === 'all' ? streams.keys() : changed
    return [...subjects].map((subject) => [subject, streams.get(subject) ?? null] as const)
  }

  #snapshot(to: string, cursors: Readonly<Record<string, Cursor>>): void {
    const { client, post, term, recent, hidden } = this.#options
    const { streams, presence } = client
    const missed: StreamEvent[] = []
    const resets: ClientEvents['reset'][] = []
    for (const [subject, has] of Object.entries(cursors)) {
      const at = streams.get(subject)?.cursor
      if (!at || at.seq < has.seq || (at.seq === has.seq && !differ(at, has))) continue
      const events = recent.between(subject, has, at)
      if (events) missed.push(...events)
      else {
        const first = streams.get(subject)?.position?.first ?? 1
        const from = Math.max(first, at.seq - limits.pageSize + 1)
        resets.push({ subject, reason: at.seq === has.seq ? 'fork' : 'gap', from, head: at.seq })
      }
    }
    const rooms = [...new Set([...this.#guests.values()].flatMap(({ wishes }) => wishes.rooms))]
    post({
      kind: 'snapshot',
      term,
      hidden: hidden(),
      to,
      no: this.#no,
      state: client.state,
      welcome: client.state.kind === 'connected' ? this.#welcome : undefined,
      shown: {
        counts: client.counts,
        clockOffsetMs: client.clockOffsetMs,
        outbox: client.outbox,
        streams: [...streams],
      },
      people: [...presence.people],
      typing: rooms.map((room) => [room, presence.typingIn(room)] as const),
      online: rooms.flatMap((room) => {
        const count = presence.onlineIn(room)
        return count === undefined ? [] : [[room, count] as const]
      }),
      missed,
      resets,
    })
  }
}

const differ = (one: Cursor, other: Cursor): boolean =>
  one.chain !== undefined && other.chain !== undefined && one.chain !== other.chain
