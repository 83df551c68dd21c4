import { Icon } from '../../components/Icon.tsx'
import { useCounts } from './useCounts.ts'

export const grouped = new Intl.NumberFormat()

/** What this page has verified by itself since it was opened; a click explains it. */
export function AuditLine({ explain }: { explain: () => void }) {
  const { checked, diverged, healed } = useCounts()
  const amiss = diverged > healed
  return (
    <button
      type="button"
      onClick={explain}
      title="What is checked, and what came of it"
      className={`flex min-h-11 items-center gap-1.5 border-t border-line px-4 pb-[env(safe-area-inset-bottom)] text-left text-xs whitespace-nowrap tabular-nums -outline-offset-2 md:min-h-9 ${
        amiss ? 'bg-warn-soft text-warn' : 'text-faint hover:bg-hover hover:text-soft'
      }`}
    >
      <Icon name={amiss ? 'alert' : 'check'} size={14} />
      <span>
        Checked {grouped.format(checked)} · diverged {grouped.format(diverged)} · healed{' '}
        {grouped.format(healed)}
      </span>
    </button>
  )
}
