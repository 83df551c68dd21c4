import type { PresenceState } from '@klatsch/contracts'

const looks: Readonly<Record<PresenceState, { look: string; word: string }>> = {
  online: { look: 'bg-good', word: 'here' },
  away: { look: 'border-2 border-good bg-(--ground)', word: 'away' },
  // Told by its shape as well as by its colour.
  dnd: {
    look: 'bg-bad after:absolute after:inset-x-[2px] after:top-1/2 after:h-[2px] after:-translate-y-1/2 after:rounded-full after:bg-(--ground)',
    word: 'not to be disturbed',
  },
  offline: { look: 'border-2 border-edge bg-(--ground)', word: 'not here' },
}

/**
 * How somebody is, as a dot at the corner of their picture, and as a word for those who listen. Nothing when that is not
 * known. `--ground`: the colour behind the picture.
 */
export function HereDot({ state }: { state: PresenceState | undefined }) {
  if (!state) return null
  const { look, word } = looks[state]
  return (
    <span
      data-here={state}
      title={word}
      className={`absolute -right-0.5 -bottom-0.5 size-2.5 rounded-full ring-2 ring-(--ground) ${look}`}
    >
      <span className="sr-only">{word}</span>
    </span>
  )
}
