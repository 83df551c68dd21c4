import { KlatschError } from '@klatsch/contracts'
import { PrismaPg } from '@prisma/adapter-pg'
import type pg from 'pg'
import { PrismaClient } from '../../generated/prisma/client.ts'

export type { PrismaClient }

/** The typed reads and the accounts, on connections of their own, so that they never wait for commands. */
export function prismaClient(pool: pg.Pool): PrismaClient {
  return new PrismaClient({ adapter: new PrismaPg(pool), log: [] })
}

/**
 * Reads for people: what fails is the database's fault, for what people send is checked before it is asked for.
 * @throws KlatschError as it is, or `server.unavailable`.
 */
export async function answering<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (cause instanceof KlatschError) throw cause
    throw new KlatschError('server.unavailable', undefined, { cause, retryAfterMs: 1_000 })
  }
}
