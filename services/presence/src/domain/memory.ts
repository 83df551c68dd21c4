import type { Seen } from '@klatsch/contracts'

/** When people were last here, for those who are not: of each the latest, of many the latest noted. */
export class Memory {
  readonly #max: number
  readonly #seen = new Map<string, Seen>()

  constructor(max = 500_000) {
    this.#max = max
  }

  get size(): number {
    return this.#seen.size
  }

  note(user: string, seen: Seen): void {
    const before = this.#seen.get(user)
    if (before && before.at > seen.at) return
    this.#seen.delete(user)
    this.#seen.set(user, seen)
    if (this.#seen.size > this.#max) this.#seen.delete(this.#seen.keys().next().value!)
  }

  /** Milliseconds since the epoch; undefined where nothing is known or it is hidden. */
  lastSeen(user: string): number | undefined {
    const seen = this.#seen.get(user)
    return seen?.hidden ? undefined : seen?.at
  }
}
