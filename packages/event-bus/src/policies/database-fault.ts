import { KlatschError } from '@klatsch/contracts'
import { PassingFault } from './fault.ts'

/** SQLSTATE classes that are the fault of the values given; all else is of the server, the moment or the schema. */
const ownClasses = new Set(['21', '22', '23', '54'])
const UNIQUE_VIOLATION = '23505'

/**
 * What a Postgres client threw as what it means for the record being worked on, by SQLSTATE. What has none never reached
 * the values, so it passes, as does a unique violation: somebody was faster.
 */
export function databaseFault(error: unknown): Error {
  if (error instanceof KlatschError && error.retryable) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // Only the server's own errors have a severity.
  if (
    error instanceof Error &&
    'severity' in error &&
    typeof code === 'string' &&
    code !== UNIQUE_VIOLATION
  ) {
    if (ownClasses.has(code.slice(0, 2))) return error
  }
  const words = typeof code === 'string' ? code : 'no answer'
  return new PassingFault(`the database: ${words}`, { cause: error, code: words })
}

/** Runs database work; what fails is thrown as `databaseFault` has it. */
export async function asking<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw databaseFault(error)
  }
}
