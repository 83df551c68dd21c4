import type { PresenceState } from '@klatsch/contracts'

const looks: Readonly<Record<PresenceState, { look: string; word: string }>> = {
  online: { look: 'bg-good', word: 'here' },
  away: { look: 'border-2 border-good bg-paper', word: 'away' },
  dnd: { look: 'bg-bad', word: 'not to be disturbed' },
  offline: { look: 'border-2 border-edge bg-paper', word: 'not here' },
}

/** How somebody is, as a dot at the corner of their picture, and as a word for those who listen. */
export function HereDot({ state }: { state: PresenceState | undefined }) {
  if (!state) return null
  const { look, word } = looks[state]
  return (
    <span
      data-here={state}
      title={word}
      className={`absolute -right-0.5 -bottom-0.5 size-2.5 rounded-full ring-2 ring-side ${look}`}
    >
      <span className="sr-only">{word}</span>
    </span>
  )
}
