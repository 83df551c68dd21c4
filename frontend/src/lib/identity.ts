import type { Person } from '../state/state.ts'

/** A hue that is always the same for the same id, away from the hues next to it. Degrees. */
export function hueOf(id: string): number {
  let hash = 2_166_136_261
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16_777_619)
  return ((hash >>> 0) % 24) * 15
}

const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const firstOf = (word: string): string =>
  segments.segment(word)[Symbol.iterator]().next().value?.segment ?? ''

/** Two letters at most: of the first and the last word, or the first letter. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => /^[\p{L}\p{N}\p{Emoji}]/u.test(word))
  const [first = name] = words
  const last = words.length > 1 ? words.at(-1) : undefined
  return `${firstOf(first)}${last ? firstOf(last) : ''}`.toLocaleUpperCase()
}

/** `undefined`: not asked for yet. */
export function nameOf(person: Person | undefined): string {
  if (person === undefined) return '…'
  return person === 'unknown' ? 'Someone who left' : person.displayName
}
