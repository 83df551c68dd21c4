import canonicalize from 'canonicalize'
import { sha256 } from '#sha256'

/** RFC 8785 text of a JSON value. Throws on what JSON cannot carry (NaN, lone surrogates). */
export function jcs(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('not a JSON value')
  return text
}

/** The fields of an event that its chain covers. */
export interface ChainedFields {
  readonly subject: string
  readonly seq: number
  readonly id: string
  readonly type: string
  readonly actor: string
  readonly time: string
  readonly datahash: string
  readonly prevchain: string
}

/** `base64url(SHA-256(salt ‖ JCS(data)))`: salt and data can be erased later, the hash stays. */
export function dataHash(salt: string, data: unknown): string {
  return sha256(salt + jcs(data))
}

/** `base64url(SHA-256(JCS([prevchain, subject, seq, id, type, actor, time, datahash])))` */
export function chainOf(e: ChainedFields): string {
  // An array of plain strings and a safe integer is its own canonical form.
  return sha256(JSON.stringify([e.prevchain, e.subject, e.seq, e.id, e.type, e.actor, e.time, e.datahash]))
}

/** What a command says, as a hash: the same id with another body is another command. */
export function commandHash(type: string, subject: string, data: unknown): string {
  return sha256(jcs([type, subject, data]))
}

/**
 * Checks one event against its own fields: `data` where it was not erased, then the chain.
 * Whether `prevchain` is the predecessor's chain is for the reader of the stream to say.
 */
export function verifyEvent(
  event: ChainedFields & { chain: string; salt?: string | undefined; data?: unknown },
): boolean {
  if (
    event.data !== undefined &&
    event.salt !== undefined &&
    dataHash(event.salt, event.data) !== event.datahash
  ) {
    return false
  }
  return chainOf(event) === event.chain
}
