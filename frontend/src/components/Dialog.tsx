import { type ReactNode, useId, useLayoutEffect, useRef } from 'react'
import { Icon } from './Icon.tsx'

const places = {
  center: 'm-auto w-[min(30rem,calc(100vw-2rem))] max-h-[min(44rem,calc(100dvh-2rem))] rounded-3xl',
  top: 'mx-auto mt-[max(1rem,10dvh)] mb-4 w-[min(36rem,calc(100vw-2rem))] max-h-[min(40rem,calc(100dvh-2rem))] rounded-3xl',
  right:
    'my-0 mr-0 ml-auto h-dvh max-h-dvh w-[min(20rem,88vw)] rounded-l-3xl pb-[env(safe-area-inset-bottom)]',
} as const

/**
 * A modal dialog: the browser keeps the focus inside, gives it back afterwards, and closes on Esc.
 * The focus begins at what has `data-autofocus`, or else at the first control.
 */
export function Dialog({
  title,
  titleHidden = false,
  place = 'center',
  onClose,
  children,
}: {
  title: string
  titleHidden?: boolean
  place?: keyof typeof places
  onClose: () => void
  children: ReactNode
}) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  // Closed before it is taken out of the page: only then does the browser give the focus back.
  useLayoutEffect(() => {
    const dialog = ref.current
    if (dialog && !dialog.open) {
      dialog.showModal()
      // React's autoFocus comes too early for a dialog: nothing in it can have the focus until it is shown.
      dialog.querySelector<HTMLElement>('[data-autofocus]')?.focus()
    }
    return () => dialog?.close()
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard's way to close is Esc, which the browser handles
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => event.target === ref.current && onClose()}
      className={`animate-appear overflow-hidden bg-raised shadow-float outline-none ${places[place]}`}
    >
      <div className="flex max-h-[inherit] min-h-full flex-col">
        <div className={titleHidden ? 'sr-only' : 'flex items-center justify-between gap-3 py-4 pr-4 pl-6'}>
          <h2 id={id} className="font-serif text-xl font-semibold">
            {title}
          </h2>
          {!titleHidden && (
            <button type="button" onClick={onClose} className="icon-button" aria-label="Close">
              <Icon name="close" />
            </button>
          )}
        </div>
        {children}
      </div>
    </dialog>
  )
}
