import type { Cursor, FollowMode, StreamEvent } from '@klatsch/contracts'
import type { ClientEvents, FollowedStream } from '../types.ts'
import type { Recent } from './recent.ts'

type Told = 'event' | 'reset' | 'unfollowed' | 'digest' | 'live'

interface TabStreamsOptions {
  readonly recent: Recent
  readonly tell: <K extends Told>(name: K, value: ClientEvents[K]) => void
}

/** How far each stream was told in one tab, so that, whoever leads, each event is told once and in order. */
export class TabStreams {
  readonly #options: TabStreamsOptions
  readonly #at = new Map<string, Cursor>()
  readonly #modes = new Map<string, FollowMode>()
  readonly #unfollowed = new Set<string>()
  #views = new Map<string, FollowedStream>()
  #behind = false

  constructor(options: TabStreamsOptions) {
    this.#options = options
  }

  /** As the leader has them, with the cursors of this tab. */
  get all(): ReadonlyMap<string, FollowedStream> {
    return new Map(
      [...this.#views]
        .filter(([subject]) => !this.#unfollowed.has(subject))
        .map(([subject, view]) => [subject, { ...view, cursor: this.#at.get(subject) ?? view.cursor }]),
    )
  }

  /** How far each stream was told here. */
  get cursors(): Readonly<Record<string, Cursor>> {
    return Object.fromEntries(this.#at)
  }

  get wishes(): { readonly follow: Record<string, FollowMode>; readonly unfollow: string[] } {
    return { follow: Object.fromEntries(this.#modes), unfollow: [...this.#unfollowed] }
  }

  follow(subject: string, mode: FollowMode, cursor: Cursor | undefined): void {
    this.#unfollowed.delete(subject)
    this.#modes.set(subject, mode)
    if (cursor) this.#at.set(subject, cursor)
  }

  unfollow(subject: string): void {
    this.#unfollowed.add(subject)
    this.#modes.delete(subject)
    this.#at.delete(subject)
  }

  /** Whether something was missed since this was asked last: then a snapshot is needed. */
  takeBehind(): boolean {
    const behind = this.#behind
    this.#behind = false
    return behind
  }

  /** A snapshot comes: nothing is known of what the leader follows. */
  forgetViews(): void {
    this.#views = new Map()
  }

  view(subject: string, view: FollowedStream | null): void {
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

  event(event: StreamEvent): void {
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
    this.#options.tell('event', event)
  }

  reset(reset: ClientEvents['reset']): void {
    const at = this.#at.get(reset.subject)
    const had = reset.reason === 'gap' && at && at.seq >= reset.head
    if (had || this.#unfollowed.has(reset.subject)) return
    this.#at.set(reset.subject, { seq: reset.head })
    this.#options.tell('reset', reset)
  }

  ended(ended: ClientEvents['unfollowed']): void {
    this.#at.delete(ended.subject)
    this.#modes.delete(ended.subject)
    this.#options.tell('unfollowed', ended)
  }

  /** Passed on where the stream is followed here. */
  passOn<K extends 'digest' | 'live'>(name: K, value: ClientEvents[K]): void {
    if (!this.#unfollowed.has(value.subject)) this.#options.tell(name, value)
  }
}
