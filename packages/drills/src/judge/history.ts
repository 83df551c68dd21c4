/** What the checker judges: a history of who sent what, and what everyone saw. It says nothing of how it came about. */
export interface History {
  readonly sends: readonly Send[]
  /** Of each observer and room in the order of arrival. */
  readonly reads: readonly Read[]
  /** Who must have seen a room whole, from a seq on: its members. */
  readonly observers: readonly { readonly observer: string; readonly room: string; readonly from: number }[]
  /** What a connection passed over in silence. */
  readonly skips?: readonly Skip[]
  /** Copies of the stream itself (a database, a log), each under its name, as an observer that must have everything. */
  readonly copies?: readonly string[]
  /** What the system said of commands when it was asked in the end. */
  readonly answers?: readonly Answer[]
}

/** One connection told of a room up to a seq, and then of what comes after a hole, without having said that there is one. */
export interface Skip {
  readonly observer: string
  readonly room: string
  /** The last seq it had told, or was to begin after. */
  readonly after: number
  /** What it told next, or said that it had told all up to. */
  readonly seq: number
  /** When and how, in words. */
  readonly how: string
  /** Of the event that came next. */
  readonly actor?: string
  readonly command?: string
}

export interface Answer {
  readonly actor: string
  readonly command: string
  /** `unknown`: it never heard of it. */
  readonly state: 'accepted' | 'rejected' | 'held' | 'cancelled' | 'unknown'
  readonly seq?: number | undefined
}

export interface Send {
  /** What the sender is called in events. */
  readonly actor: string
  /** Whose order is to be kept: one device of the actor. */
  readonly device: string
  readonly command: string
  readonly room: string
  readonly text: string
  /** Grows with each send of a device: the order in which it wanted them. */
  readonly order: number
  readonly outcome: SendOutcome
}

export type SendOutcome =
  | { readonly kind: 'acked'; readonly seq: number }
  /** No answer: it may be in the room or not, but not twice. */
  | { readonly kind: 'unknown' }
  /** No outcome yet, but the system has it and named the place where the outcome will be: it must have one in the end. */
  | { readonly kind: 'taken' }
  /** It was put aside: it may come into the room later, but not twice. */
  | { readonly kind: 'held' }
  /** It must not be in the room. */
  | { readonly kind: 'rejected'; readonly code: string }

/** One event as one observer saw it. */
export interface Read {
  readonly observer: string
  readonly room: string
  readonly seq: number
  readonly id: string
  readonly actor: string
  /** The command it came from. */
  readonly command: string
  readonly prevchain: string
  readonly chain: string
  /** Whether its hashes hold, as the observer computed them. */
  readonly genuine: boolean
  /** Where and when it was found, in words, of a copy that has places: a record of a log. */
  readonly at?: string
  /** Of a message; undefined for anything else that happened in the room. */
  readonly text?: string
}
