/**
 * Calls when a browser says that the network may be back or the page is looked at again; its timers may have slept
 * until then. Does nothing where there is no such thing. The answer ends it.
 */
export function listenForWakeups(wake: () => void): () => void {
  if (typeof document === 'undefined') return () => {}
  const seen = () => {
    if (document.visibilityState === 'visible') wake()
  }
  globalThis.addEventListener('online', wake)
  document.addEventListener('visibilitychange', seen)
  return () => {
    globalThis.removeEventListener('online', wake)
    document.removeEventListener('visibilitychange', seen)
  }
}
