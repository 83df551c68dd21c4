import type { Api } from '@klatsch/client'
import { type StreamEvent, streamId, verifyEvent } from '@klatsch/contracts'
import { entryOf } from '../state/entry.ts'
import { unreadOf } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import { gapOf, type Page } from '../state/timeline.ts'

/** Events of one request at most. */
const MAX_PAGE = 200
const LATEST = 60
const OLDER = 80
/** Kept of what is above the fold while one follows the end of a busy room. */
const KEEP = 250
const TRIM_ABOVE = 600

/** Events whose hash and chain were checked; where they did not fit; and where they fit when fetched again. */
export interface Checks {
  readonly checked: number
  readonly diverged: number
  readonly healed: number
}

export interface History {
  readonly counts: Checks
  /** Loads the end of a room, unless it is there or on its way. */
  latest(subject: string): Promise<void>
  /** Loads the page above what is there. */
  older(subject: string): Promise<void>
  /** Loads what is missing between what was loaded and what came live. */
  fill(subject: string): Promise<void>
  /** The end of the room is on the screen: lets go of what is far above. */
  settled(subject: string): void
}

export interface HistoryOptions {
  readonly store: Store
  readonly api: Pick<Api, 'events'>
  /** The seq from which this person may read. */
  readonly firstOf: (subject: string) => number
  /** The seq after which everything comes live, where it does. */
  readonly reached: (subject: string) => number | undefined
  readonly learn: (ids: Iterable<string>) => void
}

/** Pages of rooms over HTTP, every event checked against its hash and its predecessor. */
export function history({ store, api, firstOf, reached, learn }: HistoryOptions): History {
  const busy = new Set<string>()
  const counts = { checked: 0, diverged: 0, healed: 0 }

  async function once(key: string, task: () => Promise<void>): Promise<void> {
    if (busy.has(key)) return
    busy.add(key)
    try {
      await task()
    } finally {
      busy.delete(key)
    }
  }

  /** What does not fit is fetched again once; whether it fits then is counted, and shown either way. */
  async function genuine(subject: string, after: number, limit: number) {
    const ask = () => api.events(streamId(subject), { after, limit })
    const page = await ask()
    counts.checked += page.items.length
    if (!wrongIn(page.items)) return page
    counts.diverged += 1
    const again = await ask()
    if (!wrongIn(again.items)) counts.healed += 1
    return again
  }

  /** Loads the events after `after`, `limit` of them at most; answers the head of the stream. */
  async function load(subject: string, after: number, limit: number): Promise<number> {
    const { items, head } = await genuine(subject, after, limit)
    const entries = items.map(entryOf)
    learn(items.map((event) => event.actor.replace(/^user:|^system:.*/, '')))
    learn(entries.flatMap((entry) => (entry.kind === 'joined' || entry.kind === 'left' ? [entry.user] : [])))
    const from = items[0]?.seq ?? after + 1
    const page: Page = { from, to: items.at(-1)?.seq ?? after, entries }
    // What is older than the answer to a question for it is not for this person.
    const first = from > after + 1 ? from : firstOf(subject)
    store.dispatch({ type: 'page', subject, page, first })
    return head
  }

  async function latest(subject: string): Promise<void> {
    await once(`latest ${subject}`, async () => {
      const room = store.get().rooms[subject]
      if (!room?.member) return
      const { timeline } = room
      if (timeline && timeline.loading === undefined && !timeline.failed) return
      store.dispatch({ type: 'load', subject, what: 'latest' })
      try {
        const want = Math.min(MAX_PAGE, Math.max(LATEST, unreadOf(store.get(), room) + 20))
        const from = Math.max(room.tail, reached(subject) ?? 0) - want
        const head = await load(subject, Math.max(firstOf(subject) - 1, from), MAX_PAGE)
        // Between the list of rooms and now a great deal may have been said.
        for (let to = loadedTo(subject); to !== undefined && to < head; ) {
          await load(subject, Math.max(to, head - want), MAX_PAGE)
          const next = loadedTo(subject)
          if (next === to) break
          to = next
        }
      } catch {
        store.dispatch({ type: 'load-failed', subject })
      }
    })
    await fill(subject)
  }

  const loadedTo = (subject: string): number | undefined => store.get().rooms[subject]?.timeline?.to

  async function older(subject: string): Promise<void> {
    await once(`older ${subject}`, async () => {
      const room = store.get().rooms[subject]
      const timeline = room?.timeline
      if (!room || !timeline || timeline.loading === 'latest' || timeline.from <= room.first) return
      store.dispatch({ type: 'load', subject, what: 'older' })
      try {
        const after = Math.max(room.first - 1, timeline.from - 1 - OLDER)
        await load(subject, after, timeline.from - 1 - after)
      } catch {
        store.dispatch({ type: 'load-failed', subject })
      }
    })
  }

  async function fill(subject: string): Promise<void> {
    await once(`fill ${subject}`, async () => {
      for (;;) {
        const timeline = store.get().rooms[subject]?.timeline
        const gap = timeline && gapOf(timeline, reached(subject))
        if (!gap || timeline.failed) return
        try {
          const before = gap.after
          await load(subject, Math.max(gap.after, gap.upTo - MAX_PAGE), MAX_PAGE)
          if (loadedTo(subject) === before) return
        } catch {
          store.dispatch({ type: 'load-failed', subject })
          return
        }
      }
    })
  }

  return {
    counts,
    latest,
    older,
    fill,
    settled(subject) {
      const length = store.get().rooms[subject]?.timeline?.entries.length ?? 0
      if (length > TRIM_ABOVE) store.dispatch({ type: 'trim', subject, keep: KEEP })
    },
  }
}

/** Whether an event does not match its own hash, or does not continue the one before it. */
function wrongIn(events: readonly StreamEvent[]): boolean {
  return events.some((event, index) => {
    const before = events[index - 1]
    return !verifyEvent(event) || (before !== undefined && event.prevchain !== before.chain)
  })
}
