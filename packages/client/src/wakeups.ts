/**
 * Calls when a browser says that the network may be back, or that the page is looked at again, also out of the
 * back-forward cache or after it was frozen; its timers may have slept until then. Does nothing where there is no such
 * thing. The answer ends it.
 */
export function listenForWakeups(wake: () => void): () => void {
  if (typeof document === 'undefined') return () => {}
  const seen = () => {
    if (document.visibilityState === 'visible') wake()
  }
  const shown = (event: Event) => {
    if ((event as PageTransitionEvent).persisted) wake()
  }
  const ends = (
    [
      [globalThis, 'online', wake],
      [globalThis, 'pageshow', shown],
      [document, 'visibilitychange', seen],
      [document, 'resume', wake],
    ] as const
  ).map(([target, name, listener]) => {
    target.addEventListener(name, listener)
    return () => target.removeEventListener(name, listener)
  })
  return () => {
    for (const end of ends) end()
  }
}
