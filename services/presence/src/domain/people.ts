import type { PresenceSession, PresenceState } from '@klatsch/contracts'

/** A session as it is held here. */
export interface Held extends PresenceSession {
  readonly gateway: string
  /** Set once it ended: kept until the lease clock reaches `until`. `at`: log time at which it ended. */
  readonly leaving?: { readonly until: number; readonly at: number }
}

/** Somebody of whom something is known here. */
export interface Person {
  held: Held[]
  /** What was last told to the world; undefined while that is not known. */
  told: { readonly state: PresenceState; readonly home: string | undefined } | undefined
  /** Log time at which the latest session that is over ended, and whether that may be told. */
  last: { readonly at: number; readonly hidden: boolean } | undefined
}

/** One state of a person out of all their sessions. */
export function stateOf(held: readonly Held[]): PresenceState {
  if (held.length === 0) return 'offline'
  if (choiceOf(held)?.dnd) return 'dnd'
  return held.some((session) => !session.idle) ? 'online' : 'away'
}

/** The one gateway among those with a session of this person that counts them: the same for as long as it has one. */
export function homeOf({ held, told }: Person): string | undefined {
  return held.some(({ gateway }) => gateway === told?.home) ? told?.home : held[0]?.gateway
}

/** The latest choice among these sessions. */
export function choiceOf(held: readonly Held[]) {
  let latest: Held | undefined
  for (const session of held) {
    if (!session.chosen) continue
    const after = session.chosen.at - (latest?.chosen?.at ?? -1)
    if (after > 0 || (after === 0 && session.session > latest!.session)) latest = session
  }
  return latest?.chosen
}
