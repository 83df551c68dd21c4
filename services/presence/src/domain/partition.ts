import type { PresenceSession, PresenceSignal, PresenceState } from '@klatsch/contracts'
import type { Person } from './people.ts'

/** A record of `presence.signals`. `time`: when the broker appended it, milliseconds since the epoch. */
export interface SignalRecord {
  readonly offset: number
  readonly time: number
  readonly signal: PresenceSignal
}

/** What the world, or the gateways alone, must be told. `version` and `time` are those of the record that brought it about. */
export type PresenceEvent =
  | {
      readonly kind: 'changed'
      readonly user: string
      readonly state: PresenceState
      readonly home: string | undefined
      readonly lastSeen: number | undefined
      readonly version: number
      readonly time: number
    }
  | {
      readonly kind: 'typing'
      readonly user: string
      readonly room: string
      readonly typing: boolean
      readonly version: number
      readonly time: number
    }
  | {
      readonly kind: 'roster'
      readonly users: readonly RosterEntry[]
      readonly complete?: { readonly part: number; readonly of: number }
      readonly version: number
      readonly time: number
    }
  /** Somebody's last session ended then; to be remembered, and told unless hidden. */
  | { readonly kind: 'seen'; readonly user: string; readonly at: number; readonly hidden: boolean }
  /** `fenced`: the epoch that is over, and all before it. */
  | { readonly kind: 'resync'; readonly gateway: string | undefined; readonly fenced: number | undefined }

/** Of who is offline, `lastSeen` is filled in on the way out. */
export interface RosterEntry {
  readonly user: string
  readonly state: PresenceState
  readonly home: string | undefined
  readonly lastSeen: number | undefined
}

/** One gateway's life in this partition. */
export interface Lease {
  epoch: number
  /** Number of its last record. */
  n: number
  /** When it was last heard of, by the lease clock and by log time. */
  heardAt: number
  heardTime: number
  /** Everything it has is known. */
  whole: boolean
  /** A full set that is coming in. */
  draft: { part: number; sessions: PresenceSession[] } | undefined
  /** When it was last asked for its full set, by the lease clock. */
  askedAt: number
  /** Its sessions that live, and whose they are. */
  readonly sessions: Map<string, string>
}

/**
 * All that is known of one partition. It follows from the records of the last seconds alone: an owner that begins
 * anywhere in the log knows the same as every other, once it is settled.
 */
export interface Partition {
  /** Offset of the last record taken in. */
  position: number
  /** Milliseconds of log time that counted towards leases since this owner began, and the log time itself. */
  clock: number
  time: number | undefined
  /** Not settled: there may be gateways that were not heard of yet, so nobody is known to be offline. */
  settled: boolean
  readonly gateways: Map<string, Lease>
  /** Epochs that are over: nothing said in them counts any more. `at` by the lease clock. */
  readonly fenced: Map<string, { readonly epoch: number; readonly at: number }>
  readonly people: Map<string, Person>
  /** People with sessions that ended a moment ago, and when the first of them is over, by the lease clock. */
  readonly leaving: Set<string>
  nextEnd: number
}

export function newPartition(): Partition {
  return {
    position: -1,
    clock: 0,
    time: undefined,
    settled: false,
    gateways: new Map(),
    fenced: new Map(),
    people: new Map(),
    leaving: new Set(),
    nextEnd: Number.POSITIVE_INFINITY,
  }
}

/** Nothing here can change by time alone. */
export const isQuiet = (partition: Partition): boolean =>
  partition.settled && partition.gateways.size === 0 && partition.people.size === 0
