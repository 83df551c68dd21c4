/** Who listens to what. A listener that throws does so outside the client, whose state it cannot break. */
export interface Listeners<Events> {
  on<K extends keyof Events>(name: K, listener: (value: Events[K]) => void): () => void
  emit<K extends keyof Events>(name: K, value: Events[K]): void
}

export function listeners<Events>(): Listeners<Events> {
  const all: { [K in keyof Events]?: Set<(value: Events[K]) => void> } = {}
  return {
    on(name, listener) {
      const those = all[name] ?? new Set()
      all[name] = those
      those.add(listener)
      return () => those.delete(listener)
    },
    emit(name, value) {
      for (const listener of all[name] ?? []) {
        try {
          listener(value)
        } catch (error) {
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
  }
}
