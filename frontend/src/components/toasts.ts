import { useSyncExternalStore } from 'react'

export interface Toast {
  readonly id: number
  readonly kind: 'info' | 'error'
  readonly text: string
  readonly action: { readonly label: string; readonly run: () => void } | undefined
}

const MAX = 3
let toasts: readonly Toast[] = []
let lastId = 0
const listeners = new Set<() => void>()

function set(next: readonly Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

/** Says something for a few seconds. A toast with the same words replaces the one before. */
export function toast(text: string, options: { kind?: Toast['kind']; action?: Toast['action'] } = {}): void {
  lastId += 1
  const next: Toast = { id: lastId, kind: options.kind ?? 'info', text, action: options.action }
  set([...toasts.filter((other) => other.text !== text), next].slice(-MAX))
}

export const dismissToast = (id: number): void => set(toasts.filter((other) => other.id !== id))

export const useToasts = (): readonly Toast[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
