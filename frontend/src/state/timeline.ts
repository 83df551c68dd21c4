import type { Entry } from './entry.ts'

/**
 * A window of a room's stream: every seq from `from` to `to`, none missing. What comes live beyond
 * `to` before the page between has been loaded waits in `ahead`.
 */
export interface Timeline {
  readonly from: number
  readonly to: number
  readonly entries: readonly Entry[]
  readonly ahead: readonly Entry[]
  readonly loading: 'latest' | 'older' | undefined
  /** The last load failed; trying again is up to the person. */
  readonly failed: boolean
}

export interface Page {
  /** The window that was asked for and answered in full: seqs `from` to `to`. */
  readonly from: number
  readonly to: number
  readonly entries: readonly Entry[]
}

const MAX_AHEAD = 1_000

/** Nothing loaded yet: `from` and `to` say nothing until the first page is there. */
export const blankTimeline: Timeline = {
  from: 1,
  to: 0,
  entries: [],
  ahead: [],
  loading: 'latest',
  failed: false,
}

const isBlank = (t: Timeline): boolean => t.to < t.from && t.loading === 'latest'

/** Takes one live event. Repetitions change nothing. */
export function appendEntry(t: Timeline, entry: Entry): Timeline {
  if (!isBlank(t) && entry.seq <= t.to) return t
  if (!isBlank(t) && entry.seq === t.to + 1) return { ...t, to: entry.seq, entries: [...t.entries, entry] }
  const last = t.ahead.at(-1)
  if (last && entry.seq <= last.seq) return t
  return { ...t, ahead: [...t.ahead, entry].slice(-MAX_AHEAD) }
}

/** Joins a page to the window; a page that does not touch it replaces an older window and is ignored behind a newer one. */
export function mergePage(t: Timeline, page: Page): Timeline {
  const base: Timeline = { ...t, loading: undefined, failed: false }
  if (isBlank(t) || page.from > t.to + 1)
    return absorb({ ...base, from: page.from, to: page.to, entries: page.entries })
  if (page.to < t.from - 1) return base
  const older = page.entries.filter((entry) => entry.seq < t.from)
  const newer = page.entries.filter((entry) => entry.seq > t.to)
  return absorb({
    ...base,
    from: Math.min(t.from, page.from),
    to: Math.max(t.to, page.to),
    entries: older.length + newer.length > 0 ? [...older, ...t.entries, ...newer] : t.entries,
  })
}

function absorb(t: Timeline): Timeline {
  let to = t.to
  const joined: Entry[] = []
  const ahead: Entry[] = []
  for (const entry of t.ahead) {
    if (entry.seq <= to) continue
    if (entry.seq === to + 1) {
      joined.push(entry)
      to = entry.seq
    } else ahead.push(entry)
  }
  return { ...t, to, entries: joined.length > 0 ? [...t.entries, ...joined] : t.entries, ahead }
}

/** The seqs between the window and what came live, if some are missing. `reached`: where what came live begins, at most. */
export function gapOf(
  t: Timeline,
  reached = 0,
): { readonly after: number; readonly upTo: number } | undefined {
  const next = t.ahead[0]
  const upTo = next ? next.seq - 1 : reached
  return upTo > t.to && !isBlank(t) ? { after: t.to, upTo } : undefined
}

/** Lets go of the oldest entries beyond `keep`; they can be paged in again. */
export function trimTimeline(t: Timeline, keep: number): Timeline {
  const first = t.entries.at(-keep)
  return first && t.entries.length > keep ? { ...t, from: first.seq, entries: t.entries.slice(-keep) } : t
}
