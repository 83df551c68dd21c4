import type { Cursor, StreamEvent } from '@klatsch/contracts'

/** Events kept for tabs that missed some; of more than that they take a page over HTTP. */
const KEPT = 256

/** The last events this page told, over all streams. Each page keeps its own: any may be the next to lead. */
export class Recent {
  readonly #events: StreamEvent[] = []

  add(event: StreamEvent): void {
    this.#events.push(event)
    if (this.#events.length > KEPT) this.#events.shift()
  }

  /** The events of a stream from a cursor up to another; undefined when they are not all here, or do not link. */
  between(subject: string, after: Cursor, upTo: Cursor): readonly StreamEvent[] | undefined {
    const events: StreamEvent[] = []
    let { seq, chain } = after
    for (const event of this.#events) {
      if (event.subject !== subject || event.seq !== seq + 1) continue
      if (chain !== undefined && event.prevchain !== chain) return undefined
      events.push(event)
      seq = event.seq
      chain = event.chain
      if (seq === upTo.seq) break
    }
    const whole =
      seq === upTo.seq && (chain === undefined || upTo.chain === undefined || chain === upTo.chain)
    return whole ? events : undefined
  }
}
