import stringWidth from 'string-width'

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** What one reader takes for one character, each. */
export const graphemes = (text: string): string[] =>
  [...segmenter.segment(text)].map(({ segment }) => segment)

/** Columns of a terminal. */
export const widthOf = (text: string): number => stringWidth(text)

/**
 * What people wrote must not steer the terminal it is shown in: control characters become visible, those that turn the
 * direction of what follows go. Line ends stay.
 */
export const printable = (text: string): string =>
  text
    .replace(/\r\n?/g, '\n')
    .replaceAll('\t', '    ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '�')
    .replace(/[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '')

/** The same in one line. */
export const oneLine = (text: string): string => printable(text).replaceAll('\n', ' ↵ ')

/** As much as fits, with an ellipsis where something is left out. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let taken = ''
  let used = 0
  for (const one of graphemes(text)) {
    used += widthOf(one)
    if (used > width - 1) break
    taken += one
  }
  return width > 0 ? `${taken}…` : ''
}

/** In lines of at most `width` columns: between words where that goes, inside a word that is longer than a line. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, Math.max(2, width)))
}

function wrapLine(line: string, width: number): string[] {
  if (widthOf(line) <= width) return [line]
  const lines: string[] = []
  let current = ''
  let used = 0
  const end = () => {
    lines.push(current.trimEnd())
    current = ''
    used = 0
  }
  for (const word of line.match(/\s+|\S+/gu) ?? []) {
    const wide = widthOf(word)
    if (used + wide <= width) {
      current += word
      used += wide
      continue
    }
    if (used > 0) end()
    if (/^\s/u.test(word)) continue
    for (const one of wide <= width ? [word] : graphemes(word)) {
      const columns = widthOf(one)
      if (used > 0 && used + columns > width) end()
      current += one
      used += columns
    }
  }
  if (current !== '' || lines.length === 0) end()
  return lines
}
