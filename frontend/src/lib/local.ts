/** JSON in localStorage. Reading answers undefined for what is missing or broken; a full or forbidden storage is as if empty. */
export function readLocal(key: string): unknown {
  try {
    const text = localStorage.getItem(key)
    return text === null ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

export function writeLocal(key: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(key)
    else localStorage.setItem(key, JSON.stringify(value))
  } catch {
    // Nothing that is kept here is needed to go on.
  }
}

/** Calls when another tab changed the value. The answer ends it. */
export function onOtherTab(key: string, changed: (value: unknown) => void): () => void {
  const listener = (event: StorageEvent) => {
    if (event.storageArea === localStorage && event.key === key) changed(readLocal(key))
  }
  addEventListener('storage', listener)
  return () => removeEventListener('storage', listener)
}
