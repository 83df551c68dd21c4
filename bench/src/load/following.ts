import { backoffMs } from '@klatsch/streams'
import type { Talk } from './talk.ts'

const TRIES = 5

export interface Cursor {
  readonly seq: number
  /** Unknown where one began at the head. */
  readonly chain: string | undefined
}

/** A page of a stream's events after a seq, over HTTP, as text. */
export type FetchEvents = (subject: string, after: number) => Promise<string[]>

export interface FollowingOptions {
  readonly token: string
  readonly fetchEvents: FetchEvents
  /** What is fetched after a `reset`: all that was missed, or the fresh page that one would show. */
  readonly heals: 'all' | 'page'
}

/**
 * Follows all rooms of a person as our client does, a cursor for each, and holds every event against it. Events are not
 * parsed: their fields come in the order in which chat writes them, what people wrote comes last.
 */
export class Following implements Talk {
  readonly cursors = new Map<string, Cursor>()
  /** Events that came twice, that were skipped, that are of another history; `reset` frames; failed fetches. */
  readonly found = { doubled: 0, lost: 0, forked: 0, resets: 0, failed: 0 }
  greeted = false
  retryAfterMs = 0
  readonly #options: FollowingOptions
  /** Streams that are not live yet. */
  #toCome = Number.POSITIVE_INFINITY
  /** Streams that are being fetched over HTTP up to a head, and what came of them meanwhile. */
  readonly #healing = new Map<string, { head: number; readonly held: string[] }>()
  #targets: Readonly<Record<string, number>> = {}
  #look: () => void = () => {}

  constructor(options: FollowingOptions) {
    this.#options = options
  }

  get whole(): boolean {
    if (this.#toCome > 0 || this.#healing.size > 0) return false
    for (const [subject, cursor] of this.cursors) {
      if (cursor.seq < (this.#targets[subject] ?? 0)) return false
    }
    return true
  }

  get missing(): string {
    if (!this.greeted) return 'welcome'
    if (this.#toCome > 0) return 'live'
    return this.#healing.size > 0 ? 'a page' : 'events'
  }

  expect(targets: Readonly<Record<string, number>>): void {
    this.#targets = targets
  }

  begin(send: (text: string) => void, look: () => void): void {
    this.#look = look
    const { token } = this.#options
    send(JSON.stringify({ type: 'hello', token, follow: 'all', cursors: Object.fromEntries(this.cursors) }))
  }

  cut(): void {
    this.greeted = false
    this.#toCome = Number.POSITIVE_INFINITY
  }

  take(text: string): void {
    // Passing events (presence and the like) have no seq and no part in this.
    if (text.startsWith('{"specversion"')) {
      if (!text.includes('"prevchain":"')) return
      const subject = field(text, 'subject')
      const healing = this.#healing.get(subject)
      if (healing) healing.held.push(text)
      else this.#event(subject, text)
      return
    }
    const frame = JSON.parse(text)
    switch (frame.type) {
      case 'welcome':
        this.greeted = true
        this.retryAfterMs = 0
        this.#toCome = frame.streams.length
        for (const { subject, head } of frame.streams) {
          if (!this.cursors.has(subject)) this.cursors.set(subject, { seq: head, chain: undefined })
        }
        return
      case 'live':
        this.#toCome -= 1
        return
      case 'reset':
        this.found.resets += 1
        void this.#heal(frame.subject, frame.from, frame.head)
        return
      case 'error':
        this.retryAfterMs = frame.retryAfterMs ?? 0
        return
    }
  }

  #event(subject: string, text: string): void {
    const seq = seqIn(text)
    const cursor = this.cursors.get(subject)
    if (cursor) {
      if (seq <= cursor.seq) {
        this.found.doubled += 1
        return
      }
      if (seq > cursor.seq + 1) this.found.lost += seq - cursor.seq - 1
      else if (cursor.chain !== undefined && cursor.chain !== field(text, 'prevchain')) this.found.forked += 1
    }
    this.cursors.set(subject, { seq, chain: field(text, 'chain') })
  }

  /** Fetches what a reset left out, and then goes on with what came on the socket meanwhile. */
  async #heal(subject: string, from: number, head: number): Promise<void> {
    const before = this.#healing.get(subject)
    if (before) {
      before.head = head
      return
    }
    const healing: { head: number; held: string[] } = { head, held: [] }
    this.#healing.set(subject, healing)
    const { heals, fetchEvents } = this.#options
    if (heals === 'page') this.cursors.set(subject, { seq: from - 1, chain: undefined })
    const seqOf = () => this.cursors.get(subject)?.seq ?? 0
    try {
      while (seqOf() < healing.head) {
        const items = await this.#patiently(() => fetchEvents(subject, seqOf()))
        if (items.length === 0) throw new Error('an empty page before the head')
        for (const text of items) this.#event(subject, text)
      }
    } catch {
      this.found.failed += 1
    }
    this.#healing.delete(subject)
    // What a page had already comes once more on the socket: that is no event twice.
    for (const text of healing.held) if (seqIn(text) > seqOf()) this.#event(subject, text)
    this.#look()
  }

  /** Tries again what the server had no time for. */
  async #patiently<T>(task: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await task()
      } catch (error) {
        if (failures === TRIES) throw error
        const wait = backoffMs(failures, 250, 5_000, Math.random)
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
  }
}

function seqIn(text: string): number {
  const at = text.indexOf('"seq":') + 6
  return Number.parseInt(text.slice(at, at + 16), 10)
}

function field(text: string, name: string): string {
  const from = text.indexOf(`"${name}":"`) + name.length + 4
  return text.slice(from, text.indexOf('"', from))
}
