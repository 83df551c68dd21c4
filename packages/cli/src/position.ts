/** A place in a topic: its beginning, its end, an offset, or a time in milliseconds since the epoch. */
export type Position =
  | { readonly kind: 'begin' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: string }
  | { readonly kind: 'time'; readonly time: number }

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads `begin`, `end`, `now`, an offset (`120`), a time ago (`10m`, `2h`) or a time (`2026-01-31T12:00`); undefined for anything else. */
export function readPosition(word: string, now: number): Position | undefined {
  if (word === 'begin') return { kind: 'begin' }
  if (word === 'end' || word === 'now') return { kind: 'end' }
  if (/^\d+$/.test(word)) return { kind: 'offset', offset: word }
  const ago = /^(\d+)([smhd])$/.exec(word)
  if (ago) return { kind: 'time', time: now - Number(ago[1]) * units[ago[2] as keyof typeof units] }
  const time = /^\d{4}-\d{2}-\d{2}/.test(word) ? Date.parse(word) : Number.NaN
  return Number.isNaN(time) ? undefined : { kind: 'time', time }
}
