import {
  type CommandInput,
  type Cursor,
  type FollowMode,
  KlatschError,
  type PublicCommandType,
  type StreamEvent,
} from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'
import { listeners } from '../listeners.ts'
import { MAX_PENDING } from '../outbox.ts'
import { objection, refusedAtOnce } from '../refusals.ts'
import { timerSet } from '../timers.ts'
import type {
  Client,
  ClientCounts,
  ClientEvents,
  ConnectionState,
  FollowedStream,
  Outcome,
  PendingCommand,
} from '../types.ts'
import { errorFrom, type FromLeader, type FromTab, type Shown, type Tell, type Wishes } from './messages.ts'
import type { Recent } from './recent.ts'
import { TabPresence } from './tab-presence.ts'

/** A leader that does not answer for so long sleeps. */
const ANSWER_MS = 1_500
/** While another takes over, a connection that was is shown as one for so long. */
const TAKE_OVER_MS = 3_000

export interface TabOptions {
  readonly id: string
  readonly scheduler: Scheduler
  readonly newId: () => string
  readonly recent: Recent
  readonly post: (message: FromTab) => void
  /** Puts commands where the next leader finds them: nobody who leads is known to have them. */
  readonly keep: (commands: readonly PendingCommand[]) => Promise<void>
  /** The first `connect()`, and each after a `close()`. */
  readonly start: () => void
  readonly stop: () => Promise<void>
  /** Nobody leads, or whoever does sleeps. */
  readonly unanswered: () => void
  readonly leaderHidden: (hidden: boolean) => void
}

interface Mine {
  readonly command: PendingCommand
  readonly outcome: Promise<Outcome>
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: KlatschError) => void
}

/**
 * What one tab sees of the client that all tabs share. It knows by itself how far each stream was told here, so that,
 * whoever leads, each event is told once and in order; and which of its commands have no outcome, to ask for them again.
 */
export class Tab implements Client {
  readonly presence: TabPresence
  readonly on: Client['on']
  readonly #emit
  readonly #options: TabOptions
  readonly #timers
  readonly #mine = new Map<string, Mine>()
  readonly #at = new Map<string, Cursor>()
  readonly #modes = new Map<string, FollowMode>()
  readonly #unfollowed = new Set<string>()
  #views = new Map<string, FollowedStream>()
  #state: ConnectionState = { kind: 'idle' }
  #counts: ClientCounts = { checked: 0, diverged: 0, healed: 0, connections: 0, moves: 0 }
  #offsetMs = 0
  #outbox: readonly PendingCommand[] = []
  #session: string | undefined
  #started = false
  #term = 0
  #no = 0
  /** A snapshot is awaited: what is told meanwhile is in it. */
  #joining = true
  #behind = false
  #masked: ConnectionState | undefined
  #takingOver = false
  /** Another took over and nobody was told of a cut, so nobody is welcomed either. */
  #unnoticed = false
  #stopAsking: () => void = () => {}

  constructor(options: TabOptions) {
    this.#options = options
    this.#timers = timerSet(options.scheduler)
    const { on, emit } = listeners<ClientEvents>()
    this.on = on
    this.#emit = emit
    this.presence = new TabPresence({
      now: () => options.scheduler.now(),
      changed: () => this.#wish(),
      type: (room, on) => this.#post({ kind: 'typing', tab: options.id, room, on }),
      tell: emit,
    })
  }

  get state(): ConnectionState {
    return this.#state
  }

  get outbox(): readonly PendingCommand[] {
    const unheard = this.#unheard
    return unheard.length === 0 ? this.#outbox : [...this.#outbox, ...unheard]
  }

  /** Commands of this tab that nobody who leads is known to have. */
  get #unheard(): readonly PendingCommand[] {
    const known = new Set(this.#outbox.map((command) => command.id))
    return [...this.#mine.values()].flatMap(({ command }) => (known.has(command.id) ? [] : [command]))
  }

  get counts(): ClientCounts {
    return this.#counts
  }

  get streams(): ReadonlyMap<string, FollowedStream> {
    return new Map(
      [...this.#views]
        .filter(([subject]) => !this.#unfollowed.has(subject))
        .map(([subject, view]) => [subject, { ...view, cursor: this.#at.get(subject) ?? view.cursor }]),
    )
  }

  get clockOffsetMs(): number {
    return this.#offsetMs
  }

  now(): number {
    return Math.round(this.#options.scheduler.now() + this.#offsetMs)
  }

  /** The last leader this tab heard of. */
  get term(): number {
    return this.#term
  }

  /** How far each stream was told here. */
  get cursors(): Readonly<Record<string, Cursor>> {
    return Object.fromEntries(this.#at)
  }

  connect(): void {
    if (this.#started) {
      this.#post({ kind: 'connect', tab: this.#options.id })
      return
    }
    this.#started = true
    this.#options.start()
  }

  async close(): Promise<void> {
    if (!this.#started) return
    const unheard = this.#unheard
    this.#post({ kind: 'leave', tab: this.#options.id, pending: unheard })
    this.#started = false
    this.#joining = true
    this.#timers.clear()
    this.#takingOver = false
    for (const { reject } of this.#mine.values()) {
      reject(new KlatschError('server.timeout', 'the client was closed; the outcome is not known'))
    }
    this.#mine.clear()
    await this.#keep(unheard)
    await this.#options.stop()
    this.#show({ kind: 'stopped', reason: 'closed' })
  }

  command<T extends PublicCommandType>(
    type: T,
    subject: string | undefined,
    data: CommandInput<T>,
    { id = this.#options.newId() }: { readonly id?: string } = {},
  ): { readonly id: string; readonly outcome: Promise<Outcome> } {
    const known = this.#mine.get(id)
    if (known) return { id, outcome: known.outcome }
    const at = this.#options.scheduler.now()
    const command: PendingCommand = {
      id,
      type,
      ...(subject === undefined ? {} : { subject }),
      data,
      at,
      state: 'queued',
    }
    const full = this.outbox.length >= MAX_PENDING
    const error =
      objection(command) ?? (full ? new KlatschError('limit.rate', 'the outbox is full') : undefined)
    if (error) return { id, outcome: refusedAtOnce(error) }
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    promise.catch(() => {})
    this.#mine.set(id, { command, outcome: promise, resolve, reject })
    this.#emit('outbox', this.outbox)
    if (this.#joining) void this.#keep([command])
    this.#post({ kind: 'command', tab: this.#options.id, command })
    this.#timers.after(ANSWER_MS, () => {
      const unheard = this.#mine.has(id) && !this.#outbox.some((each) => each.id === id)
      if (unheard && !this.#joining) this.join()
    })
    return { id, outcome: promise }
  }

  follow(subject: string, { cursor, mode = 'full' }: { cursor?: Cursor; mode?: FollowMode } = {}): void {
    this.#unfollowed.delete(subject)
    this.#modes.set(subject, mode)
    if (cursor) this.#at.set(subject, cursor)
    this.#wish(cursor && { subject, cursor })
  }

  unfollow(subject: string): void {
    this.#unfollowed.add(subject)
    this.#modes.delete(subject)
    this.#at.delete(subject)
    this.#wish()
  }

  /** Asks whoever leads for all there is to know: at the beginning, of a new leader, and when something was missed. */
  join(): void {
    if (!this.#started) return
    this.#joining = true
    this.#stopAsking()
    this.#stopAsking = this.#timers.after(ANSWER_MS, () => {
      this.#options.unanswered()
      this.join()
    })
    const { id } = this.#options
    const pending = [...this.#mine.values()].map(({ command }) => command)
    this.#post({ kind: 'join', tab: id, wishes: this.#wishes, cursors: this.cursors, pending })
  }

  receive(message: FromLeader): void {
    if (!this.#started || message.term < this.#term) return
    const other = message.term > this.#term
    if (other) this.#newLeader(message.term)
    switch (message.kind) {
      case 'lead':
        this.#options.leaderHidden(message.hidden)
        if (other || (!this.#joining && message.no !== this.#no)) this.join()
        return
      case 'told':
        if (other) this.join()
        else if (this.#joining) return
        else if (message.no !== this.#no + 1) this.join()
        else {
          this.#no = message.no
          this.#told(message.tells, message.shown)
        }
        return
      case 'snapshot':
        if (message.to === this.#options.id) this.#snapshot(message)
        return
      default:
        message satisfies never
    }
  }

  get #wishes(): Wishes {
    return {
      follow: Object.fromEntries(this.#modes),
      unfollow: [...this.#unfollowed],
      ...this.presence.wishes,
    }
  }

  async #keep(commands: readonly PendingCommand[]): Promise<void> {
    if (commands.length === 0) return
    await this.#options.keep(commands).catch((error: unknown) => this.#emit('storageFailed', { error }))
  }

  #wish(rewind?: { readonly subject: string; readonly cursor: Cursor }): void {
    const { id } = this.#options
    this.#post({ kind: 'wishes', tab: id, wishes: this.#wishes, ...(rewind ? { rewind } : {}) })
  }

  /** Before the snapshot nobody needs to be told: the next `join` says it all. */
  #post(message: FromTab): void {
    if (!this.#started || (this.#joining && (message.kind === 'wishes' || message.kind === 'command'))) return
    this.#options.post(message)
  }

  #newLeader(term: number): void {
    this.#term = term
    this.#joining = true
    if (this.#state.kind !== 'connected' || this.#takingOver) return
    this.#takingOver = true
    this.#timers.after(TAKE_OVER_MS, () => {
      this.#takingOver = false
      if (this.#masked) this.#show(this.#masked)
    })
  }

  #snapshot(snapshot: Extract<FromLeader, { kind: 'snapshot' }>): void {
    this.#stopAsking()
    this.#joining = false
    this.#no = snapshot.no
    this.#options.leaderHidden(snapshot.hidden)
    for (const event of snapshot.missed) this.#event(event)
    for (const value of snapshot.resets) this.#tell({ name: 'reset', value })
    this.#views = new Map()
    this.#told([], snapshot.shown)
    this.#setState(snapshot.state)
    if (snapshot.welcome) this.#tell({ name: 'welcome', value: snapshot.welcome })
    for (const [user, data] of snapshot.people) this.presence.presence({ user, ...data })
    for (const [room, users] of snapshot.typing) this.presence.typing({ room, users })
    for (const [room, count] of snapshot.online) this.presence.online({ room, count })
  }

  #told(tells: readonly Tell[], shown: Shown): void {
    this.#counts = shown.counts
    this.#offsetMs = shown.clockOffsetMs
    const settling = tells.some(
      ({ name }) => name === 'accepted' || name === 'rejected' || name === 'refused',
    )
    for (const tell of tells) this.#tell(tell)
    for (const [subject, view] of shown.streams ?? []) this.#view(subject, view)
    if (shown.outbox) this.#outbox = shown.outbox
    if (shown.outbox || settling) this.#emit('outbox', this.outbox)
    if (!this.#behind) return
    this.#behind = false
    this.join()
  }

  #view(subject: string, view: FollowedStream | null): void {
    if (!view) {
      this.#views.delete(subject)
      return
    }
    this.#views.set(subject, view)
    if (!view.cursor || this.#unfollowed.has(subject)) return
    const at = this.#at.get(subject)
    if (!at) this.#at.set(subject, view.cursor)
    else if (view.cursor.seq > at.seq) this.#behind = true
  }

  #tell(tell: Tell): void {
    switch (tell.name) {
      case 'state':
        this.#setState(tell.value)
        return
      case 'event':
        this.#event(tell.value)
        return
      case 'welcome':
        if (tell.value.session === this.#session) return
        this.#session = tell.value.session
        if (!this.#unnoticed) this.#emit('welcome', tell.value)
        this.#unnoticed = false
        return
      case 'reset': {
        const at = this.#at.get(tell.value.subject)
        const had = tell.value.reason === 'gap' && at && at.seq >= tell.value.head
        if (had || this.#unfollowed.has(tell.value.subject)) return
        this.#at.set(tell.value.subject, { seq: tell.value.head })
        this.#emit('reset', tell.value)
        return
      }
      case 'unfollowed':
        this.#at.delete(tell.value.subject)
        this.#modes.delete(tell.value.subject)
        this.#emit('unfollowed', tell.value)
        return
      case 'digest':
        if (!this.#unfollowed.has(tell.value.subject)) this.#emit('digest', tell.value)
        return
      case 'live':
        if (!this.#unfollowed.has(tell.value.subject)) this.#emit('live', tell.value)
        return
      case 'diverged':
        this.#emit('diverged', tell.value)
        return
      case 'accepted':
        this.#settle(tell.value.outcome.id)?.resolve(tell.value.outcome)
        this.#emit('accepted', tell.value)
        return
      case 'rejected': {
        const error = errorFrom(tell.value.error)
        this.#settle(tell.value.command.id)?.reject(error)
        this.#emit('rejected', { command: tell.value.command, error })
        return
      }
      case 'refused':
        this.#settle(tell.value.id)?.reject(errorFrom(tell.value.error))
        return
      case 'presence':
        this.presence.presence(tell.value)
        return
      case 'typing':
        this.presence.typing(tell.value)
        return
      case 'online':
        this.presence.online(tell.value)
        return
      case 'storageFailed':
        this.#emit('storageFailed', { error: new Error(tell.value.error) })
        return
      default:
        tell satisfies never
    }
  }

  #settle(id: string): Mine | undefined {
    const mine = this.#mine.get(id)
    this.#mine.delete(id)
    this.#outbox = this.#outbox.filter((command) => command.id !== id)
    return mine
  }

  #event(event: StreamEvent): void {
    const { subject, seq, chain, prevchain } = event
    if (this.#unfollowed.has(subject)) return
    const at = this.#at.get(subject)
    if (at && seq <= at.seq) return
    if (at && (seq > at.seq + 1 || (at.chain !== undefined && at.chain !== prevchain))) {
      this.#behind = true
      return
    }
    this.#at.set(subject, { seq, chain })
    this.#options.recent.add(event)
    this.#emit('event', event)
  }

  #setState(state: ConnectionState): void {
    if (this.#takingOver && (state.kind === 'idle' || (state.kind === 'connecting' && state.attempt === 0))) {
      this.#masked = state
      return
    }
    this.#unnoticed = this.#takingOver && state.kind === 'connected'
    this.#show(state)
  }

  #show(state: ConnectionState): void {
    this.#masked = undefined
    this.#takingOver = false
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return
    this.#state = state
    this.#emit('state', state)
  }
}
