import type { Bugs } from '@klatsch/contracts'
import type { VerifyToken } from '@klatsch/service-kit'
import type { Scheduler } from '@klatsch/streams'
import type { RateLimiter } from '../domain/rate-limiter.ts'
import type { Commands } from '../outbound/commands.ts'
import type { Presence } from '../presence/presence.ts'
import type { Connection } from './connection.ts'
import type { Hub } from './hub.ts'
import type { Backlog } from './outgoing.ts'

/** A socket, as a connection needs it. */
export interface Transport {
  write(frames: readonly Buffer[]): void
  /** Bytes handed over and not yet taken by the network. */
  readonly buffered: number
  close(code: number, reason: string): void
  /** A protocol-level ping, which any WebSocket answers by itself. */
  ping(): void
  pauseReading(): void
  resumeReading(): void
}

export interface HelloCounts {
  /** Refused for the moment, because of too much to do or because `chat` could not be asked. */
  refused: number
}

/** What connections share. */
export interface ConnectionContext {
  readonly hub: Hub
  readonly commands: Commands
  readonly verify: VerifyToken
  /** Whether this session (the `sid` of its tokens) ended before its time. */
  readonly hasEnded?: (session: string) => boolean
  readonly limiter: RateLimiter
  readonly presence?: Presence
  /** For how long something lasts. */
  readonly scheduler: Scheduler
  /** The time of day, in which tokens end; the scheduler's when absent. */
  readonly wall?: () => number
  readonly random: () => number
  readonly bugs?: Bugs
  readonly newSessionId: () => string
  readonly warn: (fields: object, message: string) => void
  /** Has the connection written at the end of this turn, once. */
  readonly writeLater: (connection: Connection) => void
  readonly backlog: Backlog
  readonly hellos: HelloCounts
}
