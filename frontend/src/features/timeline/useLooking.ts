import { useSyncExternalStore } from 'react'

const changes = ['focus', 'blur'] as const

/** Whether someone is in front of this page: it is visible and has the focus. */
export const useLooking = (): boolean =>
  useSyncExternalStore(
    (changed) => {
      for (const type of changes) addEventListener(type, changed)
      document.addEventListener('visibilitychange', changed)
      return () => {
        for (const type of changes) removeEventListener(type, changed)
        document.removeEventListener('visibilitychange', changed)
      }
    },
    () => document.visibilityState === 'visible' && document.hasFocus(),
  )
