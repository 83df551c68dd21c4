import { useSyncExternalStore } from 'react'
import type { Action, State } from './state.ts'
import { reduce } from './state.ts'

export interface Store {
  get(): State
  dispatch(action: Action): void
  subscribe(listener: () => void): () => void
}

/**
 * Holds the state. It changes at once; who listens hears of it once a frame, so that a burst of events is one
 * rendering. `later` runs its task soon, also in a page that is not visible.
 */
export function createStore(initial: State, later: (task: () => void) => void = soon): Store {
  let state = initial
  let announced = true
  const listeners = new Set<() => void>()
  return {
    get: () => state,
    dispatch(action) {
      const next = reduce(state, action)
      if (next === state) return
      state = next
      if (!announced) return
      announced = false
      later(() => {
        announced = true
        for (const listener of listeners) listener()
      })
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The next animation frame, or 50 ms where frames do not come (a tab in the background). */
function soon(task: () => void): void {
  const run = () => {
    cancelAnimationFrame(frame)
    clearTimeout(timer)
    task()
  }
  const frame = requestAnimationFrame(run)
  const timer = setTimeout(run, 50)
}

/** Reads from the store and renders again when the answer changes. `select` must keep identity where nothing changed. */
export function useStore<T>(store: Store, select: (state: State) => T): T {
  return useSyncExternalStore(store.subscribe, () => select(store.get()))
}
