import type { PublishedRange } from './command-store.ts'
import type { StreamHead } from './events.ts'

/**
 * What is on the log, and not in the record's published positions yet: a stretch for each stream. The next batch of a
 * stream writes its position along with its own rows; only streams that rest are marked by themselves. A process that
 * dies with it has its successor publish that much once more.
 */
export interface Unmarked {
  add(ranges: readonly PublishedRange[]): void
  readonly ranges: readonly PublishedRange[]
  /** These heads with the positions that they really have. */
  heads(loaded: ReadonlyMap<string, StreamHead>): ReadonlyMap<string, StreamHead>
  /** The record has this position now. */
  marked(stream: string, upTo: number): void
}

export function unmarkedRanges(): Unmarked {
  const ranges = new Map<string, PublishedRange>()
  return {
    add(published) {
      for (const range of published) {
        const { stream, from, upTo } = range
        const known = ranges.get(stream)
        if (!known || known.upTo < from - 1) ranges.set(stream, range)
        else
          ranges.set(stream, { stream, from: Math.min(known.from, from), upTo: Math.max(known.upTo, upTo) })
      }
    },
    get ranges() {
      return [...ranges.values()]
    },
    heads(loaded) {
      const real = new Map(loaded)
      for (const [stream, head] of loaded) {
        const { from, upTo } = ranges.get(stream) ?? { from: 0, upTo: 0 }
        if (from <= head.publishedSeq + 1 && upTo > head.publishedSeq)
          real.set(stream, { ...head, publishedSeq: upTo })
      }
      return real
    },
    marked(stream, upTo) {
      const known = ranges.get(stream)
      if (!known || upTo < known.from) return
      if (upTo >= known.upTo) ranges.delete(stream)
      else ranges.set(stream, { ...known, from: upTo + 1 })
    },
  }
}
