import {
  headers,
  type PresenceChanged,
  type PresenceState,
  presenceEventTypes,
  presencePartitionOf,
  presenceStates,
  type Roster,
  userSubject,
} from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'
import { textFrame } from '../connections/text-frame.ts'

/** A state nobody answered for is asked for again after so long. */
const ASK_AGAIN_MS = 3_000

interface Known<W> {
  readonly watchers: Set<W>
  /** Undefined until presence answered. */
  latest: { readonly state: PresenceState; readonly version: number; readonly frame: Buffer } | undefined
  askedAt: number
}

/**
 * The people on someone's screen here, each with the latest state by version, and who watches them. `changed` is called
 * for each watcher of somebody whose state is another one now.
 */
export class People<W> {
  readonly #people = new Map<string, Known<W>>()
  readonly #unknown = new Set<string>()
  /** Parts of a whole roster that came, by partition. */
  readonly #rosters = new Map<number, { version: number; parts: number }>()
  readonly #changed: (watcher: W, user: string) => void

  constructor(changed: (watcher: W, user: string) => void) {
    this.#changed = changed
  }

  get size(): number {
    return this.#people.size
  }

  /** Answers whether presence must be asked. */
  watch(user: string, watcher: W, now: number): boolean {
    let known = this.#people.get(user)
    if (known) {
      known.watchers.add(watcher)
      if (known.latest) this.#changed(watcher, user)
      return false
    }
    known = { watchers: new Set([watcher]), latest: undefined, askedAt: now }
    this.#people.set(user, known)
    this.#unknown.add(user)
    return true
  }

  unwatch(user: string, watcher: W): void {
    const known = this.#people.get(user)
    known?.watchers.delete(watcher)
    if (known?.watchers.size !== 0) return
    this.#people.delete(user)
    this.#unknown.delete(user)
  }

  /** The frame that says how somebody is, once that is known. */
  frame(user: string): Buffer | undefined {
    return this.#people.get(user)?.latest?.frame
  }

  /** Whom to ask for again. */
  unanswered(now: number): string[] {
    const asked: string[] = []
    for (const user of this.#unknown) {
      const known = this.#people.get(user)!
      if (now - known.askedAt < ASK_AGAIN_MS) continue
      known.askedAt = now
      asked.push(user)
    }
    return asked
  }

  /** One changed: a record that is a frame as it is. */
  takeChanged(record: IncomingRecord): void {
    const known = this.#people.get(record.key)
    if (!known) return
    const version = Number(record.headers[headers.version])
    const state = presenceStates.find((one) => one === record.headers[headers.state])
    if (state !== undefined && Number.isSafeInteger(version)) {
      this.#apply(record.key, known, version, state, () => textFrame(record.value))
    }
  }

  takeRoster({ partition, version, time, complete, users }: Roster): void {
    const frameOf = (user: string, state: PresenceState, lastSeen: string | undefined) => () => {
      const event: PresenceChanged = {
        specversion: '1.0',
        id: `${partition}-${version}-${user}`,
        source: 'presence',
        type: presenceEventTypes.changed,
        subject: userSubject(user),
        time,
        datacontenttype: 'application/json',
        data: { state, version, ...(lastSeen === undefined ? {} : { lastSeen }) },
      }
      return textFrame(Buffer.from(JSON.stringify(event)))
    }
    for (const { user, state, lastSeen } of users) {
      const known = this.#people.get(user)
      if (known) this.#apply(user, known, version, state, frameOf(user, state, lastSeen))
    }
    if (!complete) return
    const before = this.#rosters.get(partition)
    const parts = complete.part === 1 ? 1 : before?.version === version ? before.parts + 1 : 0
    this.#rosters.set(partition, { version, parts })
    // Only who saw every part knows who is not named.
    if (complete.part !== complete.of || parts !== complete.of) return
    for (const [user, known] of this.#people) {
      if (presencePartitionOf(user) === partition) {
        this.#apply(user, known, version, 'offline', frameOf(user, 'offline', undefined))
      }
    }
  }

  #apply(user: string, known: Known<W>, version: number, state: PresenceState, frame: () => Buffer): void {
    const before = known.latest
    if (before && before.version >= version) return
    this.#unknown.delete(user)
    if (before?.state === state) {
      known.latest = { ...before, version }
      return
    }
    known.latest = { state, version, frame: frame() }
    for (const watcher of known.watchers) this.#changed(watcher, user)
  }
}
