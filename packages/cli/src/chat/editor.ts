import { graphemes } from './text.ts'

/** What is being written, and where in it: in characters as a reader counts them. */
export interface Draft {
  readonly text: string
  readonly at: number
}

export const emptyDraft: Draft = { text: '', at: 0 }

export type Edit =
  | { readonly kind: 'insert'; readonly text: string }
  | { readonly kind: 'erase'; readonly what: 'before' | 'after' | 'word' | 'to-start' | 'to-end' }
  | { readonly kind: 'move'; readonly to: 'left' | 'right' | 'word-left' | 'word-right' | 'start' | 'end' }
  | { readonly kind: 'move-line'; readonly by: -1 | 1 }

export function edit(draft: Draft, change: Edit): Draft {
  const all = graphemes(draft.text)
  const { at } = draft
  const cut = (from: number, to: number): Draft => ({
    text: [...all.slice(0, from), ...all.slice(to)].join(''),
    at: from,
  })
  switch (change.kind) {
    case 'insert': {
      const before = all.slice(0, at).join('') + change.text
      // What is inserted may join what stands before it to one character.
      return { text: before + all.slice(at).join(''), at: graphemes(before).length }
    }
    case 'erase':
      switch (change.what) {
        case 'before':
          return at > 0 ? cut(at - 1, at) : draft
        case 'after':
          return cut(at, at + 1)
        case 'word':
          return cut(wordStart(all, at), at)
        case 'to-start':
          return cut(lineStart(all, at), at)
        case 'to-end':
          return { ...cut(at, lineEnd(all, at)), at }
        default:
          return change.what satisfies never
      }
    case 'move':
      switch (change.to) {
        case 'left':
          return { ...draft, at: Math.max(0, at - 1) }
        case 'right':
          return { ...draft, at: Math.min(all.length, at + 1) }
        case 'word-left':
          return { ...draft, at: wordStart(all, at) }
        case 'word-right':
          return { ...draft, at: wordEnd(all, at) }
        case 'start':
          return { ...draft, at: lineStart(all, at) }
        case 'end':
          return { ...draft, at: lineEnd(all, at) }
        default:
          return change.to satisfies never
      }
    case 'move-line':
      return { ...draft, at: otherLine(all, at, change.by) }
    default:
      return change satisfies never
  }
}

const isSpace = (one: string | undefined): boolean => one !== undefined && /^\s$/u.test(one)

function wordStart(all: readonly string[], at: number): number {
  let to = at
  while (to > 0 && isSpace(all[to - 1])) to -= 1
  while (to > 0 && !isSpace(all[to - 1])) to -= 1
  return to
}

function wordEnd(all: readonly string[], at: number): number {
  let to = at
  while (to < all.length && isSpace(all[to])) to += 1
  while (to < all.length && !isSpace(all[to])) to += 1
  return to
}

const lineStart = (all: readonly string[], at: number): number => all.slice(0, at).lastIndexOf('\n') + 1

function lineEnd(all: readonly string[], at: number): number {
  const end = all.indexOf('\n', at)
  return end < 0 ? all.length : end
}

function otherLine(all: readonly string[], at: number, by: -1 | 1): number {
  const start = lineStart(all, at)
  const column = at - start
  if (by < 0) return start === 0 ? at : Math.min(lineStart(all, start - 1) + column, start - 1)
  const end = lineEnd(all, at)
  return end === all.length ? at : Math.min(end + 1 + column, lineEnd(all, end + 1))
}
