import {
  type CommandInput,
  type Cursor,
  type FollowMode,
  KlatschError,
  type PublicCommandType,
} from '@klatsch/contracts'
import { type Scheduler, timerSet } from '@klatsch/streams'
import { listeners } from '../listeners.ts'
import { MAX_PENDING, newCommand } from '../outbox.ts'
import { objection, refusedAtOnce } from '../refusals.ts'
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
import { TabCommands } from './tab-commands.ts'
import { TabPresence } from './tab-presence.ts'
import { TabStreams } from './tab-streams.ts'

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

/** What one tab sees of the client that all tabs share: it asks whoever leads, and tells what it is told, once. */
export class Tab implements Client {
  readonly presence: TabPresence
  readonly on: Client['on']
  readonly #emit
  readonly #options: TabOptions
  readonly #timers
  readonly #commands = new TabCommands()
  readonly #streams: TabStreams
  #state: ConnectionState = { kind: 'idle' }
  #counts: ClientCounts = { checked: 0, diverged: 0, healed: 0, connections: 0, moves: 0 }
  #offsetMs = 0
  #session: string | undefined
  #started = false
  #term = 0
  #no = 0
  /** A snapshot is awaited: what is told meanwhile is in it. */
  #joining = true
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
    this.#streams = new TabStreams({ recent: options.recent, tell: emit })
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
    return this.#commands.outbox
  }

  get counts(): ClientCounts {
    return this.#counts
  }

  get streams(): ReadonlyMap<string, FollowedStream> {
    return this.#streams.all
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
    return this.#streams.cursors
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
    const { unheard } = this.#commands
    this.#post({ kind: 'leave', tab: this.#options.id, pending: unheard })
    this.#started = false
    this.#joining = true
    this.#timers.clear()
    this.#takingOver = false
    this.#commands.giveUp(
      new KlatschError('server.timeout', 'the client was closed; the outcome is not known'),
    )
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
    const known = this.#commands.outcomeOf(id)
    if (known) return { id, outcome: known }
    const command = newCommand({ id, type, subject, data, at: this.#options.scheduler.now() })
    const full = this.outbox.length >= MAX_PENDING
    const error =
      objection(command) ?? (full ? new KlatschError('limit.rate', 'the outbox is full') : undefined)
    if (error) return { id, outcome: refusedAtOnce(error) }
    const outcome = this.#commands.add(command)
    this.#emit('outbox', this.outbox)
    if (this.#joining) void this.#keep([command])
    this.#post({ kind: 'command', tab: this.#options.id, command })
    this.#timers.after(ANSWER_MS, () => {
      if (this.#commands.isUnheard(id) && !this.#joining) this.join()
    })
    return { id, outcome }
  }

  follow(subject: string, { cursor, mode = 'full' }: { cursor?: Cursor; mode?: FollowMode } = {}): void {
    this.#streams.follow(subject, mode, cursor)
    this.#wish(cursor && { subject, cursor })
  }

  unfollow(subject: string): void {
    this.#streams.unfollow(subject)
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
    const { pending } = this.#commands
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
    return { ...this.#streams.wishes, ...this.presence.wishes }
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
    for (const event of snapshot.missed) this.#streams.event(event)
    for (const value of snapshot.resets) this.#tell({ name: 'reset', value })
    this.#streams.forgetViews()
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
    for (const [subject, view] of shown.streams ?? []) this.#streams.view(subject, view)
    if (shown.outbox) this.#commands.heard(shown.outbox)
    if (shown.outbox || settling) this.#emit('outbox', this.outbox)
    if (this.#streams.takeBehind()) this.join()
  }

  #tell(tell: Tell): void {
    switch (tell.name) {
      case 'state':
        this.#setState(tell.value)
        return
      case 'event':
        this.#streams.event(tell.value)
        return
      case 'welcome':
        if (tell.value.session === this.#session) return
        this.#session = tell.value.session
        if (!this.#unnoticed) this.#emit('welcome', tell.value)
        this.#unnoticed = false
        return
      case 'reset':
        this.#streams.reset(tell.value)
        return
      case 'unfollowed':
        this.#streams.ended(tell.value)
        return
      case 'digest':
      case 'live':
        this.#streams.passOn(tell.name, tell.value)
        return
      case 'diverged':
        this.#emit('diverged', tell.value)
        return
      case 'accepted':
        this.#commands.accepted(tell.value.outcome)
        this.#emit('accepted', tell.value)
        return
      case 'rejected': {
        const error = errorFrom(tell.value.error)
        this.#commands.refused(tell.value.command.id, error)
        this.#emit('rejected', { command: tell.value.command, error })
        return
      }
      case 'refused':
        this.#commands.refused(tell.value.id, errorFrom(tell.value.error))
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
