/** What of an event of a room the echo counts. */
export interface EchoEvent {
  readonly room: string
  readonly seq: number
  /** Of a message. */
  readonly text: string | undefined
}

/** Seqs from `from` up to and without `to`, ascending and apart from one another. */
export type Seqs = readonly (readonly [from: number, to: number])[]

/** A room as the echo knows it: what was applied, in the order in which it came. */
export interface EchoRoom {
  readonly room: string
  readonly messages: number
  /** Of the message applied last, which is not the latest one when the order was lost. */
  readonly lastText: string | undefined
  readonly seen: Seqs
  /** Events applied after a later one. */
  readonly late: number
}

export const emptyRoom = (room: string): EchoRoom => ({
  room,
  messages: 0,
  lastText: undefined,
  seen: [],
  late: 0,
})

/** The room with the event in it; the same room where it was in already. */
export function applied(room: EchoRoom, { seq, text }: EchoEvent): EchoRoom {
  const seen = withSeq(room.seen, seq)
  if (seen === room.seen) return room
  return {
    ...{ room: room.room, seen },
    messages: room.messages + (text === undefined ? 0 : 1),
    lastText: text ?? room.lastText,
    late: room.late + (seq < nextOf(room.seen) ? 1 : 0),
  }
}

/** Events missing between the first and the last one applied. */
export const missingIn = ({ seen }: EchoRoom): number =>
  seen.reduce((sum, [from], i) => sum + (i === 0 ? 0 : from - seen[i - 1]![1]), 0)

const nextOf = (seen: Seqs): number => seen.at(-1)?.[1] ?? 0

function withSeq(seen: Seqs, seq: number): Seqs {
  const at = seen.findLastIndex(([from]) => from <= seq)
  const before = seen[at]
  if (before && seq < before[1]) return seen
  const after = seen[at + 1]
  const from = before?.[1] === seq ? before[0] : seq
  const to = after?.[0] === seq + 1 ? after[1] : seq + 1
  return [
    ...seen.slice(0, from === seq ? at + 1 : at),
    [from, to] as const,
    ...seen.slice(to === seq + 1 ? at + 1 : at + 2),
  ]
}
