import type {
  Bugs,
  CommandInput,
  Cursor,
  Digest,
  ErrorCode,
  FollowMode,
  KlatschError,
  PresenceData,
  PublicCommandType,
  StreamEvent,
  StreamPosition,
  WelcomeFrame,
} from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'

export type ConnectionState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number }
  /** The socket is open and `welcome` came; streams catch up one by one (see `live`). */
  | { readonly kind: 'connected'; readonly session: string; readonly user: WelcomeFrame['user'] }
  /** Cut off; tries again at `retryAt` (milliseconds since the epoch), or at once on `online` and `connect()`. */
  | {
      readonly kind: 'waiting'
      readonly attempt: number
      readonly retryAt: number
      readonly reason: string
      /** What the server said, where it said something. */
      readonly code?: ErrorCode
    }
  /** Will not connect again by itself: closed by the owner, or refused for good (no valid token). */
  | { readonly kind: 'stopped'; readonly code?: ErrorCode; readonly reason: string }

/** A command from when it is written until its outcome is known. */
export interface PendingCommand {
  readonly id: string
  readonly type: PublicCommandType
  readonly subject?: string
  /** The command before it in the same stream, as last sent: nothing when that one's outcome was known. */
  readonly after?: string
  readonly data: unknown
  /** When it was written, milliseconds since the epoch. */
  readonly at: number
  readonly state: 'queued' | 'sent'
}

export interface Outcome {
  readonly id: string
  /** The stream it went to; for a created room, the new room. */
  readonly subject: string
  readonly seq: number
}

export interface ClientEvents {
  /** Told also when another session takes over from one whose server goes away: then it was `connected` before, too. */
  state: ConnectionState
  /** Of every followed stream: in order, each once, its chain checked. */
  event: StreamEvent
  /** Connected after not having been. */
  welcome: WelcomeFrame
  /** The gap was too large or the history is another: take a page over HTTP from `from`; events go on after `head`. */
  reset: {
    readonly subject: string
    readonly reason: 'gap' | 'fork'
    readonly from: number
    readonly head: number
  }
  /** How far a room is that is followed by digests: the latest, at most one a second. Unread messages are `messageNo` less one's own mark. */
  digest: Digest['data'] & { readonly subject: string }
  /** This stream has caught up. */
  live: { readonly subject: string; readonly head: number }
  unfollowed: { readonly subject: string; readonly code: string; readonly seq?: number }
  /** The outbox changed: a command was added, sent, or got its outcome. */
  outbox: readonly PendingCommand[]
  /** A command was accepted: also one of an earlier run, whose promise is gone. */
  accepted: { readonly command: PendingCommand; readonly outcome: Outcome }
  /** A command was refused for good. */
  rejected: { readonly command: PendingCommand; readonly error: KlatschError }
  /** What came did not continue the history one had; it was healed by fetching again. */
  diverged: { readonly subject: string; readonly at: number }
  /** Somebody who is watched is in another state, or is known for the first time. */
  presence: PresenceData & { readonly user: string }
  /** Who is typing in a watched room now, oneself left out. Taken back here when nobody says so any more. */
  typing: { readonly room: string; readonly users: readonly string[] }
  /** So many members of a watched room are here now. */
  online: { readonly room: string; readonly count: number }
  /** The storage failed: what is written from now on lasts only as long as this page or process. */
  storageFailed: { readonly error: unknown }
}

/** What changes in one transaction. A cursor of `null` is forgotten. */
export interface StorageChange {
  readonly add?: readonly PendingCommand[]
  /** Ids of commands whose outcome is known. */
  readonly remove?: readonly string[]
  readonly cursors?: Readonly<Record<string, Cursor | null>>
}

/** Keeps what must outlive the process or the page: commands without an outcome, in order, and cursors. */
export interface ClientStorage {
  load(): Promise<{
    readonly outbox: readonly PendingCommand[]
    readonly cursors: Readonly<Record<string, Cursor>>
  }>
  /** All of the change or nothing of it. */
  write(change: StorageChange): Promise<void>
}

/** The part of the standard WebSocket that the client uses. */
export interface WebSocketLike {
  send(data: string): void
  close(code?: number, reason?: string): void
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  onerror: ((event: never) => void) | null
}

export interface ClientOptions {
  /** `ws://host:port/ws` */
  readonly url: string
  /**
   * A valid access token; called before each connection and when one is about to end. `stale`: a token that ends
   * soon or was refused, so another one is wanted. Rejecting with a `KlatschError` of `auth.…` stops the client.
   */
  readonly token: (stale?: string) => Promise<string>
  readonly follow?: 'all' | readonly string[]
  /** Of rooms that `follow()` said nothing else about: `full` when absent. */
  readonly mode?: FollowMode
  /** Memory when absent. One storage belongs to one user. */
  readonly storage?: ClientStorage
  /** The standard WebSocket when absent. */
  readonly openSocket?: (url: string, protocol: string) => WebSocketLike
  readonly scheduler?: Scheduler
  /** Numbers from 0 to below 1. */
  readonly random?: () => number
  /** Makes the ids of commands: UUIDv7. */
  readonly newId?: () => string
  /** Deliberate ones, for drills. */
  readonly bugs?: Bugs
}

/** Since the client was made. */
export interface ClientCounts {
  /** Events whose hash and chain were checked. */
  readonly checked: number
  /** Streams whose history did not continue, or was not what its hashes say; and how many of those are right again. */
  readonly diverged: number
  readonly healed: number
  /** Sockets that were welcomed. */
  readonly connections: number
  /** How often a second socket took over from one whose server went away, without a moment in which there was none. */
  readonly moves: number
}

/** What a person says of themselves; what is left out stays as it was. */
export interface OwnPresence {
  /** This device has not been touched for a while. */
  readonly idle?: boolean
  /** Not to be disturbed: a choice, of which the latest on any device counts. */
  readonly dnd?: boolean
  readonly hideLastSeen?: boolean
}

/** Who is here and who is typing, for what is on the screen. Users by id, rooms by subject. */
export interface ClientPresence {
  /** The latest known state of the people watched; who is missing is not known yet. */
  readonly people: ReadonlyMap<string, PresenceData>
  typingIn(room: string): readonly string[]
  /** How many members of a watched room are here: for rooms with more members than one would watch. */
  onlineIn(room: string): number | undefined
  /** What is on the screen, in place of what was named before: 500 people and 20 rooms at most. Kept over reconnects. */
  watch(screen: { readonly users?: Iterable<string>; readonly rooms?: Iterable<string> }): void
  /** Kept over reconnects, and no longer than this client. */
  say(own: OwnPresence): void
  /** To be called for each key pressed, and with `false` when the text was sent or given up. */
  type(room: string, on?: boolean): void
}

/** One stream, as far as this client has it. */
export interface FollowedStream {
  /** The last event that was told; undefined before the first position is known. Stays where it was while in mode `digest`. */
  readonly cursor: Cursor | undefined
  /** As `welcome` told it. */
  readonly position: StreamPosition | undefined
  /** Has caught up on this connection. */
  readonly live: boolean
  readonly mode: FollowMode
  /** The latest, where it is or was followed by digests. */
  readonly digest: Digest['data'] | undefined
}

export interface Client {
  readonly state: ConnectionState
  readonly presence: ClientPresence
  readonly outbox: readonly PendingCommand[]
  readonly counts: ClientCounts
  /** What is followed, by subject. */
  readonly streams: ReadonlyMap<string, FollowedStream>
  /** The server's clock minus this one's, in milliseconds; 0 until the server told its time (with `welcome` and `pong`). */
  readonly clockOffsetMs: number
  /** The server's time as far as it is known, in milliseconds since the epoch: good to half of a round trip. */
  now(): number
  connect(): void
  /**
   * Closes the socket; what is in the outbox stays in storage. An `outcome` still open rejects with `server.timeout`:
   * it is not known, and the same id asked again will tell.
   */
  close(): Promise<void>
  on<K extends keyof ClientEvents>(name: K, listener: (value: ClientEvents[K]) => void): () => void
  /**
   * Puts a command into the outbox and sends it, again after every reconnect, with the same id, until its outcome is known.
   * `outcome` rejects with a `KlatschError` when it is refused for good, and with `limit.rate` when the outbox is full
   * (then nothing was sent). `id`: a UUIDv7, made when absent; one that is in the outbox already is not added again.
   */
  command<T extends PublicCommandType>(
    type: T,
    subject: string | undefined,
    data: CommandInput<T>,
    options?: { readonly id?: string },
  ): { readonly id: string; readonly outcome: Promise<Outcome> }
  /**
   * Follows one stream, or changes how: `full`, every event, from `cursor` or where one was, and from the head where one
   * was nowhere; `digest`, only how far it is. `full` when absent. Lasts over reconnects, not beyond this client.
   */
  follow(subject: string, how?: { readonly cursor?: Cursor; readonly mode?: FollowMode }): void
  unfollow(subject: string): void
}
