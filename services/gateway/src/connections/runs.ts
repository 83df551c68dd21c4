/** Bytes of joined runs that are kept. */
const KEPT_BYTES = 8 * 1024 * 1024

/**
 * Frames of a run of events as one buffer. Those who come back together come back from the same places: what was joined
 * for one of them is joined for all.
 */
export class Runs {
  readonly #joined = new Map<string, Buffer>()
  #bytes = 0

  /** `chain` is that of the last event, and so names all that came before it. */
  join(frames: readonly Buffer[], chain: string): Buffer {
    if (frames.length === 1) return frames[0]!
    const key = `${chain} ${frames.length}`
    const known = this.#joined.get(key)
    if (known) return known
    const run = Buffer.concat(frames)
    this.#joined.set(key, run)
    this.#bytes += run.length
    for (const [oldest, { length }] of this.#joined) {
      if (this.#bytes <= KEPT_BYTES) break
      this.#joined.delete(oldest)
      this.#bytes -= length
    }
    return run
  }
}
