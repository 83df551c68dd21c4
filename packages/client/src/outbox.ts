import { type ClientFrameInput, KlatschError, limits } from '@klatsch/contracts'
import { backoffMs, type Scheduler } from '@klatsch/streams'
import type { Outcome, PendingCommand } from './types.ts'

/** Commands without an outcome that are kept at most; more are refused. */
export const MAX_PENDING = 1_000
/** Commands on their way over one socket at most; the rest waits its turn. */
const WINDOW = 100
/** A command unanswered for so long on a living connection is sent again: its answer may have been lost. */
const ANSWER_MS = 15_000
const RETRY_BASE_MS = 100
const RETRY_CAP_MS = 10_000

interface Entry {
  command: PendingCommand
  sentAt: number
  /** The connection it was last sent on, counted. */
  sentOn: number
  readonly outcome: Promise<Outcome>
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: KlatschError) => void
}

/** Nothing is sent before `until`; `attempt` counts the refusals since the last outcome. */
interface Gate {
  until: number
  attempt: number
}

export interface OutboxOptions {
  readonly scheduler: Scheduler
  readonly random: () => number
  /** Whether the frame went to an open socket. */
  readonly send: (frame: ClientFrameInput) => boolean
  readonly changed: () => void
  /** A deliberate bug: what is sent again gets this id. */
  readonly otherId?: () => string
}

/** What settled a command: the command as it was, once; undefined for one that is not waiting here. */
export type Settled = PendingCommand | undefined

/**
 * Keeps every command until its outcome is known and sends it as often as that takes, always with the same id.
 * The order of one stream is kept by `after`: each names the command before it that has no outcome here yet, so
 * when one is refused for the moment those behind it are refused too, and all are sent again in order. One that was
 * refused for good is named by nothing sent later: the gateway may have refused it, and then it has no outcome.
 */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #entries = new Map<string, Entry>()
  /** Ids under which commands were sent again, by a deliberate bug alone. */
  readonly #others = new Map<string, string>()
  /** By stream; `''` is for all, after a refusal that concerns more than one stream. */
  readonly #gates = new Map<string, Gate>()
  #snapshot: readonly PendingCommand[] | undefined
  #open = false
  #connections = 0
  /** What the server's own limit would let pass: who keeps to it is not refused. */
  readonly #rate: { perSecond: number; tokens: number; at: number } = {
    perSecond: limits.commandsPerSecond,
    tokens: limits.commandBurst,
    at: 0,
  }
  #cancelTimer: () => void = () => {}

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  get pending(): readonly PendingCommand[] {
    this.#snapshot ??= [...this.#entries.values()].map((entry) => entry.command)
    return this.#snapshot
  }

  get full(): boolean {
    return this.#entries.size >= MAX_PENDING
  }

  outcomeOf(id: string): Promise<Outcome> | undefined {
    return this.#entries.get(id)?.outcome
  }

  /** Puts what an earlier run left before everything written since. */
  load(commands: readonly PendingCommand[]): void {
    const since = [...this.#entries.values()]
    this.#entries.clear()
    for (const command of commands) this.#entries.set(command.id, entryFor({ ...command, state: 'queued' }))
    for (const entry of since) this.#entries.set(entry.command.id, entry)
    if (commands.length > 0) this.#touched()
  }

  add(command: PendingCommand): Promise<Outcome> {
    const entry = entryFor(command)
    this.#entries.set(command.id, entry)
    this.#touched()
    this.#flush()
    return entry.outcome
  }

  /** The connection is up: everything is sent that is not answered, so many a second after the first burst. */
  opened(commandsPerSecond: number): void {
    this.#open = true
    this.#connections += 1
    this.#gates.clear()
    this.#rate.perSecond = commandsPerSecond
    this.#flush()
  }

  /** The first of two connections is closed: what it did not answer goes on the second. */
  moved(): void {
    for (const entry of this.#entries.values()) {
      if (entry.command.state === 'sent' && entry.sentOn < this.#connections) this.#update(entry, 'queued')
    }
    this.#touched()
    this.#flush()
  }

  /** The connection is gone, and with it any hope for answers on it. */
  closed(): void {
    this.#open = false
    this.#cancelTimer()
    for (const entry of this.#entries.values()) this.#update(entry, 'queued')
    this.#touched()
  }

  accepted(outcome: Outcome): Settled {
    const entry = this.#settle(outcome.id)
    entry?.resolve(outcome)
    return entry?.command
  }

  refused(id: string, error: KlatschError): Settled {
    const entry = this.#settle(id)
    entry?.reject(error)
    return entry?.command
  }

  /** Not now: it and what follows it in its stream are sent again after a while. */
  postponed(id: string, error: KlatschError): void {
    const entry = this.#entries.get(this.#others.get(id) ?? id)
    if (entry?.command.state !== 'sent') return
    this.#update(entry, 'queued')
    const concernsAll = error.code.startsWith('limit.') || error.code.startsWith('server.')
    const key = concernsAll ? '' : (entry.command.subject ?? '')
    // Others of this user's devices took what there was.
    if (error.code === 'limit.rate') this.#rate.tokens = 0
    const gate = this.#gates.get(key) ?? { until: 0, attempt: 0 }
    const { scheduler, random } = this.#options
    const now = scheduler.now()
    // Those behind it are refused with it, for its sake: that is one refusal, not many.
    if (gate.until <= now) {
      const wait = backoffMs(gate.attempt, RETRY_BASE_MS, RETRY_CAP_MS, random)
      this.#gates.set(key, {
        until: now + Math.max(wait, error.retryAfterMs ?? 0),
        attempt: gate.attempt + 1,
      })
    }
    this.#touched()
    this.#flush()
  }

  /** Nothing will be sent any more: what has no outcome here is not known. */
  end(): void {
    this.closed()
    for (const entry of this.#entries.values()) {
      entry.reject(new KlatschError('server.timeout', 'the client was closed; the outcome is not known'))
    }
  }

  #settle(named: string): Entry | undefined {
    const id = this.#others.get(named) ?? named
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    this.#entries.delete(id)
    // Things move again: the next refusal starts with a short wait. A wait that was asked for is kept.
    for (const key of ['', entry.command.subject ?? '']) {
      const gate = this.#gates.get(key)
      if (gate) gate.attempt = 0
    }
    this.#touched()
    this.#flush()
    return entry
  }

  #update(entry: Entry, state: PendingCommand['state'], after?: string): void {
    const { after: _, ...rest } = entry.command
    entry.command = { ...rest, ...(after === undefined ? {} : { after }), state }
  }

  #touched(): void {
    this.#snapshot = undefined
    this.#options.changed()
  }

  #refill(now: number): void {
    const rate = this.#rate
    const since = Math.max(0, now - rate.at) / 1_000
    rate.tokens = Math.min(limits.commandBurst, rate.tokens + since * rate.perSecond)
    rate.at = now
  }

  /** Sends what may be sent, in order, and sets the timer for what may not yet. */
  #flush(): void {
    this.#cancelTimer()
    if (!this.#open) return
    const now = this.#options.scheduler.now()
    this.#refill(now)
    const all = this.#gates.get('')?.until ?? 0
    let nextAt = Number.POSITIVE_INFINITY
    let sent = 0
    let changed = false
    for (const entry of this.#entries.values()) if (entry.command.state === 'sent') sent += 1
    const last = new Map<string, string>()
    for (const entry of this.#entries.values()) {
      const { id, subject, state } = entry.command
      const after = subject === undefined ? undefined : last.get(subject)
      if (subject !== undefined) last.set(subject, id)
      const due =
        state === 'sent'
          ? entry.sentAt + ANSWER_MS
          : Math.max(all, this.#gates.get(subject ?? '')?.until ?? 0)
      if (due > now) {
        nextAt = Math.min(nextAt, due)
        continue
      }
      if (state === 'queued' && sent >= WINDOW) continue
      if (this.#rate.tokens < 1) {
        nextAt = Math.min(nextAt, now + Math.ceil(((1 - this.#rate.tokens) / this.#rate.perSecond) * 1_000))
        break
      }
      const { otherId } = this.#options
      const other = entry.sentOn > 0 ? otherId?.() : undefined
      if (other !== undefined) this.#others.set(other, id)
      if (!this.#options.send(frameOf({ ...entry.command, id: other ?? id }, after))) break
      this.#rate.tokens -= 1
      if (state === 'queued') sent += 1
      this.#update(entry, 'sent', after)
      entry.sentAt = now
      entry.sentOn = this.#connections
      nextAt = Math.min(nextAt, now + ANSWER_MS)
      changed = true
    }
    if (changed) this.#touched()
    if (nextAt < Number.POSITIVE_INFINITY) {
      this.#cancelTimer = this.#options.scheduler.after(nextAt - now, () => this.#flush())
    }
  }
}

/** A command as it is when it is written. */
export function newCommand({
  subject,
  ...rest
}: Omit<PendingCommand, 'state' | 'subject'> & { readonly subject: string | undefined }): PendingCommand {
  return { ...rest, ...(subject === undefined ? {} : { subject }), state: 'queued' }
}

function entryFor(command: PendingCommand): Entry {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
  // Who is not interested in the outcome hears of it by events; that is no unhandled rejection.
  promise.catch(() => {})
  return { command, sentAt: 0, sentOn: 0, outcome: promise, resolve, reject }
}

/** A command as the frame that carries it. */
export function frameOf(command: PendingCommand, after: string | undefined): ClientFrameInput {
  return {
    type: 'command',
    id: command.id,
    command: command.type,
    ...(command.subject === undefined ? {} : { subject: command.subject }),
    ...(after === undefined ? {} : { after }),
    data: command.data,
  }
}
