import {
  type GatewaySignal,
  type PresenceSession,
  presencePartitionKey,
  presenceTimes,
  topics,
} from '@klatsch/contracts'
import type { OutgoingRecord } from '@klatsch/event-bus'

/** Sessions in one record: about 100 KB at most. */
const SESSIONS_PER_RECORD = 500
/** Silence of our own after which presence may have ended our lease, or is about to. */
const LAPSED_MS = presenceTimes.leaseMs - presenceTimes.beatMs
/** A session that changes again so soon is told with the next beat of the timer. */
const CHANGE_MS = 1_000

type Ended = NonNullable<GatewaySignal['ended']>[number]
type Typing = NonNullable<GatewaySignal['typing']>[number]

interface Session {
  value: PresenceSession
  saidAt: number
}

/** A session that ended and is owed its grace until then. */
interface Leaving {
  readonly user: string
  readonly until: number
}

/**
 * What this gateway has to say in one partition of `presence.signals`. It speaks under an epoch: each begins with the
 * full set of sessions, then come changes and beats, numbered. When what was sent may not have arrived, or the lease may
 * have ended, the next thing said is a full set under a new epoch. It names those who just left as well: an owner that
 * rebuilds may not have heard of them from anyone, and would take them for offline before their grace is over.
 */
export class Link {
  readonly partition: number
  readonly #gateway: string
  readonly #sessions = new Map<string, Session>()
  readonly #changed = new Set<string>()
  readonly #late = new Set<string>()
  /** Last states of sessions that ended before those were told. */
  #farewells: PresenceSession[] = []
  #ended: Ended[] = []
  readonly #leaving = new Map<string, Leaving>()
  #typing: Typing[] = []
  #asks = new Set<string>()
  #epoch = 0
  #n = 0
  /** Begun, and nothing known to be lost since. */
  #speaking = false
  #fullWanted = false
  #saidAt = Number.NEGATIVE_INFINITY

  constructor(gateway: string, partition: number) {
    this.#gateway = gateway
    this.partition = partition
  }

  get sessions(): number {
    return this.#sessions.size
  }

  put(value: PresenceSession, now: number): void {
    const before = this.#sessions.get(value.session)
    this.#sessions.set(value.session, { value, saidAt: before?.saidAt ?? Number.NEGATIVE_INFINITY })
    if (before && now - before.saidAt < CHANGE_MS) this.#late.add(value.session)
    else this.#changed.add(value.session)
  }

  end(session: string, graceMs: number, now: number): void {
    const gone = this.#sessions.get(session)
    if (!gone) return
    this.#sessions.delete(session)
    const untold = [this.#changed.delete(session), this.#late.delete(session)].includes(true)
    // Its last choice may say that nobody is to know when it ended.
    if (untold && gone.saidAt > Number.NEGATIVE_INFINITY) this.#farewells.push(gone.value)
    const { user } = gone.value
    this.#ended.push({ user, session, graceMs })
    this.#leaving.set(session, { user, until: now + graceMs })
  }

  typing(typing: Typing): void {
    this.#typing.push(typing)
  }

  ask(user: string): void {
    this.#asks.add(user)
  }

  /** Presence wants everything again. Epochs up to `fenced` are over. */
  resync(fenced: number | undefined, now: number): void {
    if (fenced !== undefined) this.#epoch = Math.max(this.#epoch, fenced)
    // Who said nothing lately is not waited for.
    if (this.#sessions.size > 0 || now - this.#saidAt < presenceTimes.leaseMs) this.#fullWanted = true
  }

  /** It is not known whether what was said arrived. */
  lost(): void {
    this.#fullWanted = true
  }

  /** What is to be said now, in order; nothing most of the time. */
  records(now: number): OutgoingRecord[] {
    const signals: object[] = []
    if (this.#sessions.size > 0 || this.#ended.length > 0 || this.#fullWanted) {
      const lapsed = now - this.#saidAt > LAPSED_MS
      if (!this.#speaking || lapsed || this.#fullWanted) signals.push(...this.#full(now))
      else signals.push(...this.#changes(now))
    }
    if (this.#asks.size > 0) {
      signals.push({ kind: 'ask', users: [...this.#asks] })
      this.#asks.clear()
    }
    const key = presencePartitionKey(this.partition)
    return signals.map((signal) => ({
      topic: topics.presenceSignals.name,
      key,
      value: JSON.stringify(signal),
      headers: {},
    }))
  }

  /** Changes that came too soon after the last are told now; who has left for good is forgotten. */
  release(now: number): void {
    for (const session of this.#late) this.#changed.add(session)
    this.#late.clear()
    for (const [session, { until }] of this.#leaving) if (until <= now) this.#leaving.delete(session)
  }

  #full(now: number): GatewaySignal[] {
    this.#epoch = Math.max(now, this.#epoch + 1)
    this.#n = 0
    const typing = this.#typing
    this.#said(now)
    this.#late.clear()
    const all = [...this.#sessions.values()]
    for (const session of all) session.saidAt = now
    const left = [...this.#leaving]
      .filter(([, { until }]) => until > now)
      .map(([session, { user, until }]) => ({ user, session, graceMs: until - now }))
    const of = Math.max(1, Math.ceil(Math.max(all.length, left.length) / SESSIONS_PER_RECORD))
    const signals: GatewaySignal[] = []
    for (let part = 1; part <= of; part += 1) {
      const sessions = all.splice(0, SESSIONS_PER_RECORD).map(({ value }) => value)
      const ended = left.splice(0, SESSIONS_PER_RECORD)
      signals.push(this.#signal({ full: { part, of }, sessions, ...(ended.length > 0 ? { ended } : {}) }))
    }
    if (typing.length > 0) signals.push(this.#signal({ typing }))
    return signals
  }

  #changes(now: number): GatewaySignal[] {
    const sessions = this.#farewells
    for (const id of this.#changed) {
      const session = this.#sessions.get(id)!
      session.saidAt = now
      sessions.push(session.value)
    }
    const ended = this.#ended
    const typing = this.#typing
    const beat = now - this.#saidAt >= presenceTimes.beatMs
    if (sessions.length + ended.length + typing.length === 0 && !beat) return []
    this.#said(now)
    const signals: GatewaySignal[] = []
    do {
      const some = sessions.splice(0, SESSIONS_PER_RECORD)
      const gone = ended.splice(0, SESSIONS_PER_RECORD)
      const typed = typing.splice(0, SESSIONS_PER_RECORD)
      signals.push(
        this.#signal({
          ...(some.length > 0 ? { sessions: some } : {}),
          ...(gone.length > 0 ? { ended: gone } : {}),
          ...(typed.length > 0 ? { typing: typed } : {}),
        }),
      )
    } while (sessions.length + ended.length + typing.length > 0)
    return signals
  }

  #said(now: number): void {
    // Without sessions there is nothing to beat for: the lease may end, and the next session begins a new epoch.
    this.#speaking = this.#sessions.size > 0
    this.#fullWanted = false
    this.#saidAt = now
    this.#changed.clear()
    this.#farewells = []
    this.#ended = []
    this.#typing = []
  }

  #signal(more: Partial<GatewaySignal>): GatewaySignal {
    this.#n += 1
    return { kind: 'gateway', gateway: this.#gateway, epoch: this.#epoch, n: this.#n, ...more }
  }
}
