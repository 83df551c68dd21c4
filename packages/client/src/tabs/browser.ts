/** The part of `navigator.locks` that is used. */
export interface TabLocks {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    held: () => Promise<void> | undefined,
  ): Promise<unknown>
}

/** The part of a `BroadcastChannel` that is used: what one posts, all others of that name receive, in order. */
export interface TabChannel {
  postMessage(message: unknown): void
  onmessage: ((event: { data: unknown }) => void) | null
  close(): void
}

/** What tabs of one browser have in common. */
export interface TabBrowser {
  readonly locks: TabLocks
  readonly channel: (name: string) => TabChannel
  readonly hidden: () => boolean
  /** Calls `changed` when the page is hidden or shown, `sleeps` before it is frozen or kept aside, `wakes` after. The answer ends it. */
  readonly watch: (on: {
    readonly changed: () => void
    readonly sleeps: () => void
    readonly wakes: () => void
  }) => () => void
}

/** Undefined where tabs cannot agree: without Web Locks, as on plain-HTTP addresses, and outside browsers. */
export function thisBrowser(): TabBrowser | undefined {
  if (typeof document === 'undefined' || !navigator.locks || typeof BroadcastChannel === 'undefined') {
    return undefined
  }
  const { locks } = navigator
  return {
    locks: { request: (name, options, held) => locks.request(name, options, held) },
    channel: (name) => new BroadcastChannel(name) as TabChannel,
    hidden: () => document.visibilityState === 'hidden',
    watch({ changed, sleeps, wakes }) {
      const kept = (event: Event) => (event as PageTransitionEvent).persisted
      const listeners = [
        [document, 'visibilitychange', changed],
        [document, 'freeze', sleeps],
        [document, 'resume', wakes],
        [globalThis, 'pagehide', (event: Event) => kept(event) && sleeps()],
        [globalThis, 'pageshow', (event: Event) => kept(event) && wakes()],
      ] as const
      for (const [target, name, listener] of listeners) target.addEventListener(name, listener)
      return () => {
        for (const [target, name, listener] of listeners) target.removeEventListener(name, listener)
      }
    },
  }
}
