import { type PresenceState, presencePartitionOf, presenceTimes, topics } from '@klatsch/contracts'

/** Somebody who is said to be here so long after they went is a ghost. */
export const GHOST_MS = 10_000
/** Who comes back within so long was never gone: reloading a page is no leaving. */
const HASTY_MS = presenceTimes.graceMs - 500
/** What was decided just before somebody came back may still be on its way. */
const ON_ITS_WAY_MS = 2_000

/** One thing that happened to a person: they came, or went for such a reason. Times in milliseconds, all of one clock. */
export interface Passage {
  readonly at: number
  readonly kind: 'came' | 'went'
  readonly why: string
  /** Of a coming: when they began to, if that was earlier. Whoever saw them then saw right. */
  readonly since?: number
}

/** One thing that an observer was told. */
export interface Told {
  readonly user: string
  readonly state: PresenceState
  readonly version: number
  readonly at: number
}

/** What was found, and when: milliseconds, of the clock of passages. */
interface Noted {
  readonly what: string
  readonly at: number
}

export interface Verdict {
  /** How often observers were told something. */
  readonly told: number
  /** By why they went: milliseconds until the observer was told of it. */
  readonly gone: Record<string, number[]>
  /** By why they came: milliseconds until the observer was told of it; none where they were never gone to it. */
  readonly back: Record<string, number[]>
  /** Said to be here longer than `GHOST_MS` after they went, or again once they were said to be gone. */
  readonly ghosts: Noted[]
  /** Said to be offline while they were here, or had gone for a moment only. */
  readonly falseOffline: Noted[]
  /** Here for longer than `GHOST_MS`, and said to be offline all the time. */
  readonly unseen: Noted[]
  /** Told in another order than that of versions. */
  readonly outOfOrder: Noted[]
}

/**
 * Holds what observers were told against what happened. `happened`: by person, in order, each coming before its going.
 * `told`: by observer, in the order in which it came. `until`: when one stopped looking.
 */
export function judge(
  happened: ReadonlyMap<string, readonly Passage[]>,
  told: readonly (readonly Told[])[],
  until: number,
): Verdict {
  const verdict: Verdict = {
    told: told.reduce((sum, { length }) => sum + length, 0),
    gone: {},
    back: {},
    ghosts: [],
    falseOffline: [],
    unseen: [],
    outOfOrder: [],
  }
  for (const of of told.map(byUser)) {
    for (const [user, mine] of of) {
      for (const [index, one] of mine.entries()) {
        const before = mine[index - 1]
        if (before && one.version <= before.version)
          verdict.outOfOrder.push({
            at: one.at,
            what: `${user}: ${one.state} ${one.version} after ${before.state} ${before.version}`,
          })
      }
      judgePerson(user, happened.get(user) ?? [], mine, until, verdict)
    }
  }
  return verdict
}

function judgePerson(
  user: string,
  passages: readonly Passage[],
  told: readonly Told[],
  until: number,
  verdict: Verdict,
): void {
  for (const [index, passage] of passages.entries()) {
    const found = (kind: 'ghosts' | 'falseOffline' | 'unseen', at: number, what: string) =>
      verdict[kind].push({ at, what: `${user} ${passage.why}: ${what}` })
    const end = passages[index + 1]?.at ?? until
    const within = told.filter(({ at }) => at >= passage.at && at < end)
    const stateBefore = told.findLast(({ at }) => at < passage.at)?.state
    const wasOffline = stateBefore === undefined || stateBefore === 'offline'
    if (passage.kind === 'went') {
      const offline = within.find(({ state }) => state === 'offline')
      if (offline && end - passage.at < HASTY_MS && end < until)
        found('falseOffline', offline.at, `offline${by(offline)}, and back after ${end - passage.at} ms`)
      if (offline) note(verdict.gone, passage.why, offline.at - passage.at)
      const lasted = (offline?.at ?? end) - passage.at
      if (lasted > GHOST_MS && !wasOffline)
        found('ghosts', passage.at + GHOST_MS, `still here after ${lasted} ms`)
      const back = passages[index + 1]?.since ?? end
      const risen = within.find(
        ({ at, state }) =>
          state !== 'offline' && at < back && at > Math.min(offline?.at ?? end, passage.at + GHOST_MS),
      )
      if (risen)
        found('ghosts', risen.at, `said to be ${risen.state}${by(risen)} ${risen.at - passage.at} ms later`)
      continue
    }
    const online = within.find(({ state }) => state !== 'offline')
    if (online && wasOffline) note(verdict.back, passage.why, online.at - passage.at)
    if (!online && wasOffline && end - passage.at > GHOST_MS)
      found('unseen', passage.at + GHOST_MS, `not said to be here after ${end - passage.at} ms`)
    for (const one of within) {
      const first = index === 0 || one.at - passage.at > ON_ITS_WAY_MS
      if (one.state === 'offline' && first)
        found('falseOffline', one.at, `said to be offline${by(one)} ${one.at - passage.at} ms later`)
    }
  }
}

/** The record that brought it about: its offset is the version. */
const by = ({ user, version }: Told): string =>
  ` by ${topics.presenceSignals.name}[${presencePartitionOf(user)}]@${version}`

function note(times: Record<string, number[]>, why: string, ms: number): void {
  const list = times[why] ?? []
  times[why] = list
  list.push(ms)
}

function byUser(told: readonly Told[]): Map<string, Told[]> {
  const users = new Map<string, Told[]>()
  for (const one of told) {
    const mine = users.get(one.user)
    if (mine) mine.push(one)
    else users.set(one.user, [one])
  }
  return users
}
