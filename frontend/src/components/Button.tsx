import type { ButtonHTMLAttributes } from 'react'

const kinds = {
  primary: 'bg-accent text-on-accent hover:bg-accent-deep active:bg-accent-deep',
  quiet: 'text-ink border border-line bg-raised hover:bg-hover active:bg-press',
  danger: 'bg-bad-soft text-bad hover:bg-bad hover:text-on-accent',
} as const

export function Button({
  kind = 'quiet',
  busy = false,
  className = '',
  disabled,
  children,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & {
  'data-autofocus'?: boolean
  kind?: keyof typeof kinds
  busy?: boolean
}) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={`inline-flex min-h-11 items-center justify-center gap-2 rounded-xl px-4 font-semibold transition-colors disabled:cursor-default disabled:opacity-55 sm:min-h-10 ${kinds[kind]} ${className}`}
    >
      {busy && (
        <span
          aria-hidden="true"
          className="size-4 animate-spin rounded-full border-2 border-current border-r-transparent"
        />
      )}
      {children}
    </button>
  )
}
