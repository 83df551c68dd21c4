/** Streams remembered at most; of one that is forgotten, a silent tail is found when heads are compared. */
const MAX = 50_000

/**
 * Notes how far streams that nobody follows here come while it is being asked where they end: an answer may be older
 * than what went by before it came.
 */
export class PassersBy {
  readonly #seqs = new Map<string, number>()
  #asking = 0

  /** Notes until the answer has come and was used. */
  begin(): void {
    this.#asking += 1
  }

  end(): void {
    this.#asking -= 1
    if (this.#asking === 0) this.#seqs.clear()
  }

  note(subject: string, seq: number): void {
    if (this.#asking === 0) return
    const before = this.#seqs.get(subject) ?? 0
    this.#seqs.delete(subject)
    this.#seqs.set(subject, Math.max(before, seq))
    if (this.#seqs.size <= MAX) return
    for (const oldest of this.#seqs.keys()) {
      this.#seqs.delete(oldest)
      return
    }
  }

  /** The largest seq that went by; 0 when none did. */
  seen(subject: string): number {
    return this.#seqs.get(subject) ?? 0
  }
}
