/** A piece of a message. Text stays text: nothing here is ever markup. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'block'; readonly text: string }

const BLOCK = /```(?:[\w+-]*\n)?([\s\S]+?)\n?```\n?/g
const INLINE = /`([^`\n]+)`|\bhttps?:\/\/[^\s<>"'`]+/giu
/** Ends a sentence rather than an address. */
const TAIL = new Set('.,;:!?…*_~')

/** Cuts a message into code blocks, inline code, links (http and https only) and text. */
export function piecesOf(message: string): readonly Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const match of message.matchAll(BLOCK)) {
    inline(message.slice(at, match.index).replace(/\n$/, ''), pieces)
    pieces.push({ kind: 'block', text: match[1] ?? '' })
    at = match.index + match[0].length
  }
  inline(message.slice(at), pieces)
  return pieces
}

function inline(text: string, pieces: Piece[]): void {
  let at = 0
  const plain = (upTo: number) => {
    if (upTo > at) pieces.push({ kind: 'text', text: text.slice(at, upTo) })
  }
  for (const match of text.matchAll(INLINE)) {
    const [whole, code] = match
    if (code !== undefined) {
      plain(match.index)
      pieces.push({ kind: 'code', text: code })
      at = match.index + whole.length
      continue
    }
    const address = addressIn(whole)
    if (!URL.canParse(address)) continue
    plain(match.index)
    pieces.push({ kind: 'link', text: address, href: new URL(address).href })
    at = match.index + address.length
  }
  plain(text.length)
}

const openerOf = new Map([
  [')', '('],
  [']', '['],
  ['}', '{'],
])

/** Without the punctuation after it, and without a bracket that was opened before it. */
function addressIn(found: string): string {
  const counts = new Map<string, number>()
  for (const char of found) counts.set(char, (counts.get(char) ?? 0) + 1)
  const count = (char: string): number => counts.get(char) ?? 0
  let end = found.length
  for (; end > 0; end--) {
    const char = found.charAt(end - 1)
    const opener = openerOf.get(char)
    const surplus = opener !== undefined && count(char) > count(opener)
    if (!surplus && !TAIL.has(char)) break
    counts.set(char, count(char) - 1)
  }
  return found.slice(0, end)
}

const graphemes = new Intl.Segmenter()
const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2})/u

/** One to three emoji and nothing else. */
export function isEmojiOnly(message: string): boolean {
  if (message.length > 40) return false
  const shown = [...graphemes.segment(message)].filter(({ segment }) => segment.trim() !== '')
  return shown.length >= 1 && shown.length <= 3 && shown.every(({ segment }) => EMOJI.test(segment))
}
