import { outcomeKey } from '@klatsch/chat/src/domain/outcomes.ts'
import { GLOBAL_ROOM, headers, topics } from '@klatsch/contracts'
import { anomalies, check, type History, type Report } from '@klatsch/drills'
import type { IncomingRecord } from '@klatsch/event-bus'
import type { Cast } from './cast.ts'
import { judgePresence } from './presence-verdict.ts'
import type { World } from './world.ts'

/** What can be found besides what the checker of drills finds, and what that means. */
const others = {
  unsettled: 'left alone, somebody never got everything',
  unanswered: 'a message whose fate its sender never learnt',
  refused: 'a good message that was refused',
  unpublished: 'an event that Postgres has and the log has not',
  misordered: 'a stream whose events are on the log in another order than theirs',
  undecided: 'a command on the log without an outcome',
  disagreements: 'a membership on which the room and the stream of its member disagree',
  staleDigests: 'a room whose last digest does not say how far it is',
  ghosts: 'somebody said to be here too long after they went',
  risen: 'somebody said to be here again, who never came back',
  falseOffline: 'somebody said to be offline who was here, or away for a moment',
  unseen: 'somebody who was here and not said to be',
  presenceOrder: 'a state told after a later one',
  presenceEnd: 'left alone, somebody believes something else of somebody than what is so',
} as const
export const meanings = { ...anomalies, ...others }
export type Kind = keyof typeof meanings

/** What was found, with one sentence of what and where for each. */
export type Findings = Partial<Record<Kind, readonly string[]>>

/** Holds everything that was written down about a world against what must be so. `left`: what never settled. */
export function judge(
  world: World,
  cast: Cast,
  left: Partial<Record<Kind, string[]>>,
): { report: Report; findings: Findings } {
  const found = findingsOf(world, cast, left)
  const report = check(historyOf(world, cast))
  const checked = Object.entries(report.anomalies).map(
    ([kind, witnesses]) => [kind, witnesses.map(({ what }) => what)] as const,
  )
  const findings = [...checked, ...Object.entries(found)].filter(([, witnesses]) => witnesses.length > 0)
  return { report, findings: Object.fromEntries(findings) }
}

function historyOf(world: World, { rooms }: Cast): History {
  for (const room of rooms) {
    for (const event of world.eventsOf(room)) world.saw('record', event)
    world.observers.push({ observer: 'record', room, from: 1 })
  }
  // In the lobby nobody has to have everything.
  const reads = world.reads.filter((read) => rooms.includes(read.room))
  return { sends: world.sends, reads, observers: world.observers, copies: ['record'] }
}

function findingsOf(world: World, cast: Cast, left: Partial<Record<Kind, string[]>>): Findings {
  const { bus, store, sends } = world
  const log = bus.records(topics.events.name)
  const logged = new Set(log.map((record) => `${record.key} ${record.headers[headers.seq]}`))
  const words = (kind: 'unknown' | 'rejected') =>
    sends.flatMap(({ text, outcome }) => (outcome.kind === kind ? [`"${text}" is ${kind}`] : []))
  const inRooms = new Set(store.members.keys())
  const inUsers = new Set(
    [...store.userRooms.values()].filter((row) => row.member).map(({ room, user }) => `${room} ${user}`),
  )
  return {
    ...left,
    unanswered: words('unknown'),
    refused: words('rejected'),
    // The room that everyone shares was there before.
    unpublished: [...store.events].flatMap(([stream, events]) =>
      stream === GLOBAL_ROOM
        ? []
        : events.flatMap(({ seq }) => (logged.has(`${stream} ${seq}`) ? [] : [`${stream} ${seq}`])),
    ),
    misordered: misordered(log),
    undecided: bus.records(topics.commands.name).flatMap((record) => {
      const { actor, id } = JSON.parse(record.value.toString())
      const where = `${id} of ${actor} at ${record.partition}/${record.offset}`
      return store.outcomes.has(outcomeKey(actor, id)) ? [] : [where]
    }),
    disagreements: [...inRooms.symmetricDifference(inUsers)],
    ...judgePresence(world, cast),
  }
}

/** Places where a stream's events are not in their order, repetitions apart. */
function misordered(log: readonly IncomingRecord[]): string[] {
  const last = new Map<string, { partition: number; seq: number }>()
  const found: string[] = []
  for (const { key, partition, offset, headers: given } of log) {
    const seq = Number(given[headers.seq])
    const before = last.get(key)
    if (before && before.partition !== partition) {
      found.push(`${key} ${seq} is in partition ${partition}, others in ${before.partition}`)
    } else if (before && seq > before.seq + 1) {
      found.push(`${key} ${seq} at ${partition}/${offset} comes after ${before.seq}`)
    }
    last.set(key, { partition, seq: Math.max(seq, before?.seq ?? 0) })
  }
  return found
}
