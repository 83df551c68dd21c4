import { useSyncExternalStore } from 'react'

/** Where one is: in the part of the address after `#`, so that any server can serve the page. */
export const roomHref = (subject: string): string =>
  `#/room/${encodeURIComponent(subject.slice('room:'.length))}`

function currentRoom(): string | undefined {
  const id = /^#\/room\/([^/]+)$/.exec(location.hash)?.[1]
  try {
    return id === undefined ? undefined : `room:${decodeURIComponent(id)}`
  } catch {
    return undefined
  }
}

function subscribe(changed: () => void): () => void {
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}

/** The room that the address names; undefined: none, the list of rooms. */
export const useRoute = (): string | undefined => useSyncExternalStore(subscribe, currentRoom)

export function goTo(subject: string | undefined, how: 'push' | 'replace' = 'push'): void {
  const href = subject === undefined ? '#/' : roomHref(subject)
  if (how === 'push') location.hash = href
  else {
    history.replaceState(null, '', href)
    dispatchEvent(new HashChangeEvent('hashchange'))
  }
}
