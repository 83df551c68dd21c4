import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isEmojiOnly, type Piece, piecesOf } from './rich-text.ts'

const links = (message: string) =>
  piecesOf(message).flatMap((piece) => (piece.kind === 'link' ? [piece.text] : []))

describe('a message', () => {
  it('links only http and https, without the punctuation around them', () => {
    expect(links('See https://a.example/x, (http://b.example/y_(z)) and <https://c.example>!')).toEqual([
      'https://a.example/x',
      'http://b.example/y_(z)',
      'https://c.example',
    ])
    expect(
      links('javascript:alert(1) data:text/html,x ftp://x file:///etc vbscript:x https:// http://'),
    ).toEqual([])
  })

  it('leaves addresses inside code alone', () =>
    expect(links('`https://a.example` and ```\nhttps://b.example\n```')).toEqual([]))

  it('cuts code out by its backticks', () => {
    expect(piecesOf('run `npm start`:\n```sh\n$ npm start\nready\n```\nthat is all')).toEqual([
      { kind: 'text', text: 'run ' },
      { kind: 'code', text: 'npm start' },
      { kind: 'text', text: ':' },
      { kind: 'block', text: '$ npm start\nready' },
      { kind: 'text', text: 'that is all' },
    ] satisfies Piece[])
  })

  it('loses nothing of what has no code in it, and every link is an address of the web', () => {
    const part = fc.oneof(
      fc.string(),
      fc.string().map((path) => `https://a.example/${path}`),
      fc.constantFrom('(', ')', '. ', 'https://', '<', '"'),
    )
    fc.assert(
      fc.property(
        fc.array(part).map((parts) => parts.join('').replaceAll('`', '')),
        (text) => {
          const pieces = piecesOf(text)
          expect(pieces.map((piece) => piece.text).join('')).toBe(text)
          for (const piece of pieces)
            if (piece.kind === 'link') expect(new URL(piece.href).protocol).toMatch(/^https?:$/)
        },
      ),
    )
  })

  it('stays quick on hostile input', () => {
    const begun = performance.now()
    for (const text of [
      '`'.repeat(8_000),
      'https://'.repeat(1_000),
      `https://a${')'.repeat(7_900)}`,
      `https://a${'.'.repeat(7_900)}x`,
      '(['.repeat(4_000),
    ]) {
      piecesOf(text)
      isEmojiOnly(text)
    }
    expect(performance.now() - begun).toBeLessThan(500)
  })

  it('knows when it is only emoji', () => {
    expect(['☕️', '🎉🍰', '👩‍💻 👍🏽🇩🇪'].map(isEmojiOnly)).toEqual([true, true, true])
    expect(['1', 'ok 👍', '🎉🎉🎉🎉', ' '].map(isEmojiOnly)).toEqual([false, false, false, false])
  })
})
