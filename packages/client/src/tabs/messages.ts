import {
  type Cursor,
  type ErrorCode,
  type FollowMode,
  KlatschError,
  type PresenceData,
  type StreamEvent,
  type WelcomeFrame,
} from '@klatsch/contracts'
import type { ClientCounts, ClientEvents, ConnectionState, FollowedStream, PendingCommand } from '../types.ts'

/** Counts with each change of what is below, so that tabs of different code never talk to each other. */
export const TABS_VERSION = 1

/** What one tab wants of the connection that all share. Said whole each time, so that nothing can be left over. */
export interface Wishes {
  /** Streams this tab said how to follow. */
  readonly follow: Readonly<Record<string, FollowMode>>
  readonly unfollow: readonly string[]
  readonly users: readonly string[]
  readonly rooms: readonly string[]
  readonly idle?: boolean
  /** The person's choices, and when they were made in this tab (milliseconds since the epoch): the latest one counts. */
  readonly choices?: { readonly at: number; readonly dnd?: boolean; readonly hideLastSeen?: boolean }
}

/** From a tab to whichever leads. */
export type FromTab =
  /** Asks for a `snapshot`: a new tab, a new leader, or something was missed. `cursors`: what this tab has. */
  | {
      readonly kind: 'join'
      readonly tab: string
      readonly wishes: Wishes
      readonly cursors: Readonly<Record<string, Cursor>>
      /** Commands of this tab whose outcome it does not know. */
      readonly pending: readonly PendingCommand[]
    }
  | {
      readonly kind: 'wishes'
      readonly tab: string
      readonly wishes: Wishes
      /** A stream is to be told again from here on. */
      readonly rewind?: { readonly subject: string; readonly cursor: Cursor }
    }
  | { readonly kind: 'command'; readonly tab: string; readonly command: PendingCommand }
  | { readonly kind: 'typing'; readonly tab: string; readonly room: string; readonly on: boolean }
  /** Connect now, whatever the wait. */
  | { readonly kind: 'connect'; readonly tab: string }
  /** `pending`: commands of this tab that nobody who leads is known to have. */
  | { readonly kind: 'leave'; readonly tab: string; readonly pending: readonly PendingCommand[] }

/** An error as it passes between tabs. */
export interface PlainError {
  readonly code: ErrorCode
  readonly message: string
  readonly retryAfterMs?: number
}

/** An event of the leader's client, as it passes between tabs. */
export type Tell =
  | {
      [K in Exclude<keyof ClientEvents, 'rejected' | 'storageFailed' | 'outbox'>]: {
        readonly name: K
        readonly value: ClientEvents[K]
      }
    }[Exclude<keyof ClientEvents, 'rejected' | 'storageFailed' | 'outbox'>]
  | { readonly name: 'rejected'; readonly value: { command: PendingCommand; error: PlainError } }
  | { readonly name: 'storageFailed'; readonly value: { error: string } }
  /** A command that never came into the outbox. */
  | { readonly name: 'refused'; readonly value: { id: string; error: PlainError } }

/** What a tab shows of the leader's client besides its events. */
export interface Shown {
  readonly counts: ClientCounts
  readonly clockOffsetMs: number
  /** When it changed. */
  readonly outbox?: readonly PendingCommand[]
  /** Those that changed: `null` where one is followed no more. */
  readonly streams?: readonly (readonly [string, FollowedStream | null])[]
}

/** From the leader. `term` grows with each leader; `no` counts what one leader tells all. */
export type FromLeader =
  | { readonly kind: 'lead'; readonly term: number; readonly hidden: boolean; readonly no: number }
  | {
      readonly kind: 'snapshot'
      readonly term: number
      readonly hidden: boolean
      readonly to: string
      readonly no: number
      readonly state: ConnectionState
      readonly welcome: WelcomeFrame | undefined
      readonly shown: Required<Shown>
      readonly people: readonly (readonly [string, PresenceData])[]
      readonly typing: readonly (readonly [string, readonly string[]])[]
      readonly online: readonly (readonly [string, number])[]
      /** What this tab missed, in order of each stream. */
      readonly missed: readonly StreamEvent[]
      /** Streams of which it missed more than is kept here. */
      readonly resets: readonly ClientEvents['reset'][]
    }
  | {
      readonly kind: 'told'
      readonly term: number
      readonly no: number
      readonly tells: readonly Tell[]
      readonly shown: Shown
    }

export type TabMessage = FromTab | FromLeader

export const plainError = ({ code, message, retryAfterMs }: KlatschError): PlainError => ({
  code,
  message,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})

export const errorFrom = ({ code, message, retryAfterMs }: PlainError): KlatschError =>
  new KlatschError(code, message, retryAfterMs === undefined ? undefined : { retryAfterMs })
