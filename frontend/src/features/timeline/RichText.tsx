import { memo } from 'react'
import { type Piece, piecesOf } from '../../lib/rich-text.ts'

/** A message's text with its links and code. Always text nodes, never markup. */
export const RichText = memo(function RichText({ text }: { text: string }) {
  return piecesOf(text).map((piece, index) => <PieceView key={`${index}/${piece.kind}`} piece={piece} />)
})

function PieceView({ piece }: { piece: Piece }) {
  switch (piece.kind) {
    case 'text':
      return <span className="break-words whitespace-pre-wrap [overflow-wrap:anywhere]">{piece.text}</span>
    case 'link':
      return (
        <a
          href={piece.href}
          target="_blank"
          rel="noopener noreferrer nofollow"
          className="text-accent underline decoration-accent/40 underline-offset-2 [overflow-wrap:anywhere] hover:decoration-accent"
        >
          {piece.text}
        </a>
      )
    case 'code':
      return (
        <code className="rounded-md bg-code px-1.5 py-0.5 font-mono text-[0.88em] [overflow-wrap:anywhere]">
          {piece.text}
        </code>
      )
    case 'block':
      return (
        <pre
          // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll, by keyboard too
          tabIndex={0}
          dir="ltr"
          className="my-1.5 max-h-96 overflow-auto rounded-xl border border-line bg-code px-3.5 py-2.5 font-mono text-[13px] leading-relaxed"
        >
          <code>{piece.text}</code>
        </pre>
      )
  }
}
