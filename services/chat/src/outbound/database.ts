import { setTimeout } from 'node:timers/promises'
import { asking } from '@klatsch/event-bus'
import { circuitBreaker, steadyClock } from '@klatsch/service-kit'
import type { CommandStore } from '../domain/command-store.ts'
import { type CommandRows, postgresCommandRows } from './command-rows.ts'
import { postgresPool } from './postgres.ts'
import { type PrismaClient, prismaClient } from './prisma.ts'
import { postgresStore } from './store.ts'
import { postgresStreams, type Streams } from './streams.ts'

const AWAKE_PAUSE_MS = 500
const AWAKE_TRIES = 60

export interface Database {
  readonly store: CommandStore
  readonly streams: Streams
  readonly commandRows: CommandRows
  readonly prisma: PrismaClient
  /** Resolves when the database answers. */
  ping(): Promise<void>
  /** Waits until it does, for as long as a database takes to start; then throws what it said last. */
  awake(): Promise<void>
  close(): Promise<void>
}

/**
 * Postgres, by three sets of connections, so that none waits for the other: commands (one for each partition of
 * `chat.commands`), what gateways ask, and what people read. They open when needed, and again after a fault.
 */
export function connectDatabase(options: {
  readonly url: string
  readonly ssl: boolean
  /** Called for a connection that breaks while nobody uses it. */
  readonly onIdleError: (error: Error) => void
}): Database {
  const breaker = circuitBreaker('the database', { now: steadyClock.now, random: Math.random })
  const commands = postgresPool({ ...options, breaker, hot: true, max: 12 })
  const gateways = postgresPool({ ...options, breaker, hot: true, max: 6 })
  const people = postgresPool({ ...options, breaker, hot: false, max: 6 })
  const prisma = prismaClient(people)

  async function ping(): Promise<void> {
    await asking(gateways.query('SELECT 1'))
  }

  return {
    store: postgresStore(commands),
    streams: postgresStreams(gateways),
    commandRows: postgresCommandRows(gateways),
    prisma,
    ping,
    async awake() {
      for (let tries = AWAKE_TRIES; ; tries--) {
        try {
          return await ping()
        } catch (error) {
          if (tries <= 0) throw error
          await setTimeout(AWAKE_PAUSE_MS)
        }
      }
    },
    async close() {
      await prisma.$disconnect()
      await Promise.all([commands.end(), gateways.end(), people.end()])
    },
  }
}
