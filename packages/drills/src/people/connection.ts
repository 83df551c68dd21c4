import type { Skip } from '../judge/history.ts'

/** An event as far as its place goes. */
interface Placed {
  readonly room: string
  readonly seq: number
  readonly actor: string
  readonly command: string
}

/**
 * What one connection told of each room. By [D5] it tells each event, in order, from the cursor on that it was given, or says by
 * `reset` where to take up again; whoever heals what is missing by themselves would never know that it did not.
 */
export interface Connection {
  /** It was asked to go on after this, or said that it does. */
  after(room: string, seq: number): void
  told(event: Placed): void
  /** It said that all up to there was told. */
  live(room: string, head: number): void
}

/** @param skipped something was passed over in silence; `how`: what was told in its place */
export function connection(skipped: (skip: Omit<Skip, 'observer' | 'how'>, how: string) => void): Connection {
  const upTo = new Map<string, number>()
  return {
    after: (room, seq) => void upTo.set(room, seq),
    told({ room, seq, actor, command }) {
      const after = upTo.get(room)
      if (after === undefined) return
      if (seq > after + 1) skipped({ room, after, seq, actor, command }, `of ${seq}`)
      upTo.set(room, Math.max(after, seq))
    },
    live(room, head) {
      const after = upTo.get(room)
      if (after === undefined) return
      if (head > after) skipped({ room, after, seq: head }, `that nothing is missing up to ${head}`)
      upTo.set(room, Math.max(after, head))
    },
  }
}
