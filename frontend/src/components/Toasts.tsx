import { useEffect, useState } from 'react'
import { Icon } from './Icon.tsx'
import { dismissToast, type Toast, useToasts } from './toasts.ts'

const SHOWN_MS = 7_000

/** Short news at the lower edge, read out politely; stays while one points at it or is in it. */
export function Toasts() {
  const toasts = useToasts()
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-0 bottom-[calc(6rem+env(safe-area-inset-bottom))] z-30 flex flex-col items-center gap-2 px-4"
    >
      {toasts.map((toast) => (
        <ToastCard key={toast.id} toast={toast} />
      ))}
    </div>
  )
}

function ToastCard({ toast }: { toast: Toast }) {
  const [held, setHeld] = useState(false)
  useEffect(() => {
    if (held) return
    const timer = setTimeout(() => dismissToast(toast.id), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [held, toast.id])
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: pointing at it only keeps it on the screen
    <div
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      className="pointer-events-auto flex max-w-[min(34rem,100%)] animate-appear items-center gap-3 rounded-2xl bg-ink py-2.5 pr-2 pl-4 text-paper shadow-float"
    >
      {toast.kind === 'error' && <Icon name="alert" />}
      <p className="min-w-0 break-words">{toast.text}</p>
      {toast.action && (
        <button
          type="button"
          onClick={() => {
            dismissToast(toast.id)
            toast.action?.run()
          }}
          className="rounded-lg px-2.5 py-1.5 font-semibold whitespace-nowrap underline decoration-1 underline-offset-4 outline-paper hover:bg-paper/15 focus-visible:outline-paper"
        >
          {toast.action.label}
        </button>
      )}
      <button
        type="button"
        onClick={() => dismissToast(toast.id)}
        aria-label="Dismiss"
        className="flex size-8 flex-none items-center justify-center rounded-lg hover:bg-paper/15 focus-visible:outline-paper"
      >
        <Icon name="close" size={16} />
      </button>
    </div>
  )
}
