import { type ErrorCode, KlatschError } from '@klatsch/contracts'

/** A fault outside the record (database away, timeout, deadlock): try again for as long as it takes. */
export class PassingFault extends Error {
  override readonly name = 'PassingFault'
  /** What it is told under. */
  readonly code: string

  constructor(message: string, options?: { cause?: unknown; code?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = options?.code ?? codeIn(options?.cause) ?? 'passing'
  }
}

export interface Fault {
  /** `passing`: heals by itself. `own`: the record's; the same record fails again. */
  readonly kind: 'passing' | 'own'
  readonly code: string
}

const passingCodes: ReadonlySet<ErrorCode> = new Set([
  'server.overloaded',
  'server.unavailable',
  'server.timeout',
  'limit.rate',
])

/** What Node calls connections that fail. */
const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
])

/**
 * Classes of SQLSTATE that say nothing about the values given: connection, rollback (deadlock, serialization), resources,
 * not in the right state (lock not available), operator intervention, system error.
 */
const passingSqlClasses = new Set(['08', '40', '53', '55', '57', '58'])

/** Sorts what a handler threw by its type and its code, never by its words. What is not known counts as the record's own. */
export function faultOf(error: unknown): Fault {
  if (error instanceof PassingFault) return { kind: 'passing', code: error.code }
  if (error instanceof KlatschError) {
    return { kind: passingCodes.has(error.code) ? 'passing' : 'own', code: error.code }
  }
  const code = codeIn(error)
  if (code === undefined) return { kind: 'own', code: error instanceof Error ? error.name : 'unknown' }
  const passing = networkCodes.has(code) || (code.length === 5 && passingSqlClasses.has(code.slice(0, 2)))
  return { kind: passing ? 'passing' : 'own', code }
}

function codeIn(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
