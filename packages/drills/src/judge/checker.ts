import type { History, Read, Send, Skip } from './history.ts'

/** One thing that was found: what and where in a sentence, and by what names it can be looked up elsewhere. */
export interface Witness {
  readonly what: string
  readonly room?: string
  readonly seq?: number
  readonly actor?: string
  readonly command?: string
  readonly observer?: string
  /** Of what has no command that could be looked up: milliseconds since the epoch. */
  readonly at?: number
}

export interface Report {
  readonly sent: number
  readonly acked: number
  readonly unknown: number
  readonly rejected: number
  readonly held: number
  /** Events seen, by all observers together. */
  readonly read: number
  readonly observers: number
  readonly anomalies: Readonly<Record<Anomaly, readonly Witness[]>>
  readonly ok: boolean
}

/** What can be wrong, and what that means. */
export const anomalies = {
  lost: 'acknowledged, and not there for someone who must have it',
  doubled: 'one message at two places, or one event told twice to one observer',
  outOfOrder: 'an observer was told an earlier seq after a later one',
  divergent: 'two observers have different events at one place of one room',
  gaps: 'an observer was told what comes after a seq it was never told',
  unannouncedGaps: 'a connection passed over events in silence: neither told them nor said so by a reset',
  chainBreaks: 'an event that does not link to the one before it, or whose hashes do not hold',
  phantom: 'seen, but never sent, refused, or sent with other words',
  misplaced: 'acknowledged at one seq and found at another',
  senderOrder: "a device's messages are in a room in another order than it sent them",
  unresolved: 'asked later, the system says something else of a command than what is in the room',
  undecided: 'the system took it, and it has no outcome in the end',
} as const
export type Anomaly = keyof typeof anomalies

type Found = Record<Anomaly, Witness[]>

/** Checks a whole history. Pure; knows no Kafka, no Postgres, no client. */
export function check(history: History): Report {
  const found = Object.fromEntries(Object.keys(anomalies).map((name) => [name, [] as Witness[]])) as Found
  const sends = new Map(history.sends.map((send) => [nameOf(send), send]))
  const views = viewsOf(history.reads)

  for (const view of views.values()) checkArrival(view, found)
  checkEnds(history, views, found)
  checkSkips(history.skips ?? [], found)
  checkAgreement(history.reads, found)
  const places = checkPlaces(history.reads, sends, found)
  checkSends(history, views, places, found)
  checkSenders(history.sends, places, found)
  checkAnswers(history.answers ?? [], sends, places, found)
  checkTaken(history, found)

  const outcomes = (kind: Send['outcome']['kind']) =>
    history.sends.filter((send) => send.outcome.kind === kind).length
  return {
    sent: history.sends.length,
    acked: outcomes('acked'),
    unknown: outcomes('unknown') + outcomes('taken'),
    rejected: outcomes('rejected'),
    held: outcomes('held'),
    read: history.reads.length,
    observers: new Set(history.reads.map((read) => read.observer)).size,
    anomalies: found,
    ok: Object.values(found).every((witnesses) => witnesses.length === 0),
  }
}

/** What one observer saw of one room, in the order of arrival. */
interface View {
  readonly observer: string
  readonly room: string
  readonly reads: Read[]
  readonly bySeq: Map<number, Read>
}

const viewKey = (observer: string, room: string): string => JSON.stringify([observer, room])
const nameOf = ({ actor, command }: { actor: string; command: string }): string => `${actor} ${command}`
const where = (read: Read): string =>
  `${read.room} ${read.seq} (${read.id}) at ${read.observer}${read.at === undefined ? '' : `, ${read.at}`}`

const seen = ({ room, seq, actor, command, observer }: Read, what: string): Witness => ({
  ...{ what, room, seq, actor, command, observer },
})
const said = ({ room, actor, command }: Send, what: string): Witness => ({ what, room, actor, command })

function viewsOf(reads: readonly Read[]): Map<string, View> {
  const views = new Map<string, View>()
  for (const read of reads) {
    const key = viewKey(read.observer, read.room)
    const view: View = views.get(key) ?? {
      observer: read.observer,
      room: read.room,
      reads: [],
      bySeq: new Map(),
    }
    views.set(key, view)
    view.reads.push(read)
    if (!view.bySeq.has(read.seq)) view.bySeq.set(read.seq, read)
  }
  return views
}

function checkArrival(view: View, found: Found): void {
  const told = new Set<number>()
  let highest = 0
  for (const read of view.reads) {
    if (told.has(read.seq)) found.doubled.push(seen(read, `${where(read)} was told again`))
    else if (read.seq < highest) {
      found.outOfOrder.push(seen(read, `${where(read)} came after ${highest}`))
    }
    told.add(read.seq)
    highest = Math.max(highest, read.seq)
    if (!read.genuine) found.chainBreaks.push(seen(read, `${where(read)} has hashes that do not hold`))
  }
  const seqs = [...told].sort((a, b) => a - b)
  for (const [index, seq] of seqs.entries()) {
    const before = seqs[index - 1]
    if (before === undefined) continue
    const read = view.bySeq.get(seq)!
    if (before < seq - 1) {
      found.gaps.push(seen(read, `${where(read)} has nothing between ${before} and itself`))
    } else if (view.bySeq.get(before)!.chain !== read.prevchain) {
      found.chainBreaks.push(seen(read, `${where(read)} does not link to the one before`))
    }
  }
}

/** Who must have a room whole must have its beginning, and its end as far as anyone knows it. */
function checkEnds(history: History, views: ReadonlyMap<string, View>, found: Found): void {
  const heads = new Map<string, number>()
  for (const { room, seq } of history.reads) heads.set(room, Math.max(heads.get(room) ?? 0, seq))
  for (const { observer, room, from } of whole(history, heads.keys())) {
    const head = heads.get(room) ?? 0
    if (head < from) continue
    const seqs = [...(views.get(viewKey(observer, room))?.bySeq.keys() ?? [])]
    const first = seqs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    const last = seqs.reduce((a, b) => Math.max(a, b), 0)
    const missing = (from: number, to: number) =>
      found.gaps.push({
        ...{ room, observer, seq: from },
        what: `${observer} has nothing of ${room} from ${from} to ${to}`,
      })
    if (first > from) missing(from, Math.min(first - 1, head))
    else if (last < head) missing(last + 1, head)
  }
}

function checkSkips(skips: readonly Skip[], found: Found): void {
  for (const { observer, room, after, seq, how, actor, command } of skips) {
    found.unannouncedGaps.push({
      ...{ what: `${observer} was told of ${room} up to ${after} and then ${how}`, observer, room, seq },
      ...(actor !== undefined && command !== undefined && { actor, command }),
    })
  }
}

/** Members, and the copies, which have every room from its first event. */
function whole({ observers, copies = [] }: History, rooms: Iterable<string>): History['observers'] {
  const everywhere = [...rooms].flatMap((room) => copies.map((observer) => ({ observer, room, from: 1 })))
  return [...observers, ...everywhere]
}

function checkAgreement(reads: readonly Read[], found: Found): void {
  const first = new Map<string, Read>()
  for (const read of reads) {
    const place = `${read.room} ${read.seq}`
    const other = first.get(place)
    if (!other) first.set(place, read)
    else if (other.id !== read.id || other.chain !== read.chain) {
      found.divergent.push(seen(read, `${where(read)}, but ${where(other)}`))
    }
  }
}

/** Where each message is, by whoever saw it; one message has one place. */
function checkPlaces(
  reads: readonly Read[],
  sends: ReadonlyMap<string, Send>,
  found: Found,
): ReadonlyMap<string, Read> {
  const places = new Map<string, Read>()
  const reported = new Set<string>()
  const once = (anomaly: 'doubled' | 'phantom', key: string, read: Read, what: string) => {
    if (reported.has(anomaly + key)) return
    reported.add(anomaly + key)
    found[anomaly].push(seen(read, what))
  }
  for (const read of reads) {
    if (read.text === undefined) continue
    const name = nameOf(read)
    const place = places.get(name)
    if (!place) places.set(name, read)
    else if (place.room !== read.room || place.seq !== read.seq) {
      once('doubled', `${name} ${read.room} ${read.seq}`, read, `${where(read)} is also ${where(place)}`)
    }
    const send = sends.get(name)
    if (!send) once('phantom', name, read, `${where(read)} was never sent`)
    else if (send.outcome.kind === 'rejected') {
      once('phantom', name, read, `${where(read)} was refused with ${send.outcome.code}`)
    } else if (send.room !== read.room || send.text !== read.text) {
      once(
        'phantom',
        name + read.text,
        read,
        `${where(read)} was sent otherwise: ${send.room} ${JSON.stringify(send.text)}`,
      )
    }
  }
  return places
}

function checkSends(
  history: History,
  views: ReadonlyMap<string, View>,
  places: ReadonlyMap<string, Read>,
  found: Found,
): void {
  const watching = new Map<string, { observer: string; from: number }[]>()
  for (const { observer, room, from } of whole(history, new Set(history.sends.map((send) => send.room)))) {
    const those = watching.get(room) ?? []
    watching.set(room, those)
    those.push({ observer, from })
  }
  for (const send of history.sends) {
    if (send.outcome.kind !== 'acked') continue
    const { seq } = send.outcome
    const place = places.get(nameOf(send))
    if (place && place.seq !== seq) {
      const what = `${send.command} of ${send.actor}: acknowledged at ${seq}, found at ${where(place)}`
      found.misplaced.push({ ...said(send, what), seq })
    }
    for (const { observer, from } of watching.get(send.room) ?? []) {
      if (seq < from) continue
      const read = views.get(viewKey(observer, send.room))?.bySeq.get(place?.seq ?? seq)
      if (!read || nameOf(read) !== nameOf(send)) {
        const what = `${send.command} of ${send.actor}, acknowledged at ${send.room} ${seq}, is not at ${observer}`
        found.lost.push({ ...said(send, what), seq, observer })
      }
    }
  }
}

function checkSenders(sends: readonly Send[], places: ReadonlyMap<string, Read>, found: Found): void {
  const last = new Map<string, { send: Send; seq: number }>()
  for (const send of [...sends].sort((a, b) => a.order - b.order)) {
    // What is held left the row: those behind it went on, and it comes later, or never.
    if (send.outcome.kind === 'held') continue
    const place = places.get(nameOf(send))
    const seq =
      place?.room === send.room ? place.seq : send.outcome.kind === 'acked' ? send.outcome.seq : undefined
    if (seq === undefined) continue
    const key = JSON.stringify([send.actor, send.device, send.room])
    const before = last.get(key)
    if (before && before.seq > seq) {
      const what = `${send.command} of ${send.device} is at ${send.room} ${seq}, sent after ${before.send.command} at ${before.seq}`
      found.senderOrder.push({ ...said(send, what), seq })
    }
    if (!before || before.seq < seq) last.set(key, { send, seq })
  }
}

/** What the system said of commands when it was asked later must be so. */
function checkAnswers(
  answers: NonNullable<History['answers']>,
  sends: ReadonlyMap<string, Send>,
  places: ReadonlyMap<string, Read>,
  found: Found,
): void {
  for (const { actor, command, state, seq } of answers) {
    const name = nameOf({ actor, command })
    const place = places.get(name)
    const acked = sends.get(name)?.outcome.kind === 'acked'
    const inRoom = place ? `in ${place.room} at ${place.seq}` : 'in no room'
    const right = state === 'accepted' ? place?.seq === seq : !place && !acked
    if (right) continue
    const what = `${command} of ${actor} is said to be ${state}${seq === undefined ? '' : ` at ${seq}`}, and is ${inRoom}`
    found.unresolved.push({
      ...{ what, actor, command },
      ...(place && { room: place.room, seq: place.seq }),
    })
  }
}

/** What was taken has an outcome, once nobody waits any more: how else could one rely on the place that was named? */
function checkTaken({ sends, answers = [] }: History, found: Found): void {
  const decided = new Set(answers.filter(({ state }) => state !== 'unknown').map(nameOf))
  for (const send of sends) {
    if (send.outcome.kind !== 'taken' || decided.has(nameOf(send))) continue
    const what = `${send.command} of ${send.actor} in ${send.room} was taken with 202, and the system never decided it`
    found.undecided.push(said(send, what))
  }
}
