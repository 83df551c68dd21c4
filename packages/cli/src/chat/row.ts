import { styleText } from 'node:util'
import { fit, widthOf } from './text.ts'

type Style = Extract<Parameters<typeof styleText>[0], string>

/** A piece of a row with one look. */
export interface Span {
  readonly text: string
  readonly look?: readonly Style[]
}
export type Row = readonly Span[]

export const span = (text: string, ...look: Style[]): Span => ({ text, look })

const rowWidth = (row: Row): number => row.reduce((sum, { text }) => sum + widthOf(text), 0)

/** Cut to `width`, with an ellipsis. */
export function fitRow(row: Row, width: number): Row {
  if (rowWidth(row) <= width) return row
  const kept: Span[] = []
  let left = width
  for (const piece of row) {
    const wide = widthOf(piece.text)
    if (wide > left) {
      kept.push({ ...piece, text: fit(piece.text, left) })
      break
    }
    kept.push(piece)
    left -= wide
  }
  return kept
}

/** `left` and `right` at the two ends of a row; where both do not fit, `left` is cut. */
export function spread(left: Row, right: Row, width: number): Row {
  const wide = rowWidth(right)
  if (wide > width - 4) return fitRow(left, width)
  const cut = fitRow(left, width - wide - (wide > 0 ? 2 : 0))
  return [...cut, span(' '.repeat(width - wide - rowWidth(cut))), ...right]
}

export const plain = (row: Row): string => row.map(({ text }) => text).join('')

/** With the colours that the terminal wants (NO_COLOR and the like are respected). */
export const painted = (row: Row): string =>
  row.map(({ text, look }) => (look && look.length > 0 ? styleText([...look], text) : text)).join('')
