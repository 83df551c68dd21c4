import type { CSSProperties } from 'react'
import { hueOf, initialsOf, nameOf } from '../lib/identity.ts'
import type { Person } from '../state/state.ts'

export const hueStyle = (id: string): CSSProperties => ({ '--hue': hueOf(id) }) as CSSProperties

const sizes = {
  small: 'size-7 rounded-[9px] text-[11px]',
  medium: 'size-9 rounded-xl text-[13px]',
} as const

/** Initials on a colour that stays with the person. The name stands beside it, so it says nothing itself. */
export function Avatar({
  id,
  person,
  size,
}: {
  id: string
  person: Person | undefined
  size: keyof typeof sizes
}) {
  const known = person !== undefined && person !== 'unknown'
  return (
    <span
      aria-hidden="true"
      style={hueStyle(id)}
      className={`inline-flex flex-none items-center justify-center font-semibold tracking-wide select-none ${sizes[size]} ${
        known ? 'avatar-hue' : 'bg-press text-faint'
      }`}
    >
      {known ? initialsOf(nameOf(person)) : person === 'unknown' ? '–' : ''}
    </span>
  )
}
