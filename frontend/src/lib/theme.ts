import { useSyncExternalStore } from 'react'
import { readLocal, writeLocal } from './local.ts'

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'klatsch.theme'
const listeners = new Set<() => void>()
let theme: Theme = 'system'

function show(next: Theme): void {
  theme = next
  if (next === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
  for (const listener of listeners) listener()
}

function stored(): Theme {
  const value = readLocal(KEY)
  return value === 'light' || value === 'dark' ? value : 'system'
}

/** Call once, before the first rendering. */
export function startTheme(): void {
  show(stored())
  addEventListener('storage', (event) => {
    if (event.key === KEY) show(stored())
  })
}

export function setTheme(next: Theme): void {
  writeLocal(KEY, next)
  show(next)
}

export const useTheme = (): Theme =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => theme,
  )
