import type { Client } from '@klatsch/client'
import type { Store } from '../state/store.ts'

/** Rooms that are followed in full after one has looked at them: who goes back and forth finds them whole. */
const RECENT = 4

export interface Following {
  /** This room is on the screen. */
  look(subject: string): void
  /** The server does not tell it any more: who is a member still, or again, asks anew. */
  lost(subject: string): void
  stop(): void
}

/** Follows in full what one looks at and what one writes to, and all other rooms by digests. */
export function keepFollowing(store: Store, client: Pick<Client, 'follow'>): Following {
  let recent: readonly string[] = []
  let full: ReadonlySet<string> = new Set()

  function settle(): void {
    const { rooms, sending } = store.get()
    // A message of one's own stays on its way until its event is here.
    const written = sending.filter((message) => message.state !== 'failed').map((message) => message.room)
    const isMember = (subject: string) => rooms[subject]?.member === true
    const wanted = new Set([...recent, ...written].filter(isMember))
    for (const subject of wanted) if (!full.has(subject)) client.follow(subject, { mode: 'full' })
    for (const subject of full) {
      if (!wanted.has(subject) && isMember(subject)) client.follow(subject, { mode: 'digest' })
    }
    full = wanted
  }

  const stop = store.subscribe(settle)
  return {
    look(subject) {
      recent = [subject, ...recent.filter((other) => other !== subject)].slice(0, RECENT)
      settle()
    },
    lost(subject) {
      full = new Set([...full].filter((other) => other !== subject))
      settle()
    },
    stop,
  }
}
