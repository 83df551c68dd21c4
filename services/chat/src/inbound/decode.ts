import {
  actorSchema,
  commandHash,
  headers,
  KlatschError,
  parseCommandData,
  parseEnvelope,
  uuidSchema,
} from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'
import { z } from 'zod'
import type { Incoming, Origin } from '../domain/batch.ts'
import type { Outcome } from '../domain/outcomes.ts'

const nameSchema = z.object({ actor: actorSchema, id: uuidSchema })

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch (cause) {
    throw new KlatschError('command.invalid', 'not JSON', { cause })
  }
}

/** Data without a canonical form (lone surrogates, nested without end) is never valid, so its kind of fault is enough. */
function hashOf(type: string, subject: string, data: unknown): string {
  try {
    return commandHash(type, subject, data)
  } catch {
    return commandHash('', subject, 'no canonical form')
  }
}

/** @throws KlatschError `command.invalid`: not JSON, or not the envelope of a command. It has no name to answer to. */
export function decodeCommand(record: IncomingRecord): Incoming {
  const parsed = parseEnvelope(parseJson(record.value))
  if (!parsed.ok) throw new KlatschError('command.invalid', parsed.detail)
  const { envelope } = parsed
  return {
    envelope,
    parsed: parseCommandData(envelope.type, envelope.subject, envelope.data),
    hash: hashOf(envelope.type, envelope.subject, envelope.data),
    redriven: record.headers[headers.redrive] !== undefined,
    origin: originOf(record),
  }
}

export function originOf({ headers: given }: IncomingRecord): Origin {
  return {
    replyTo: given[headers.replyTo],
    requestId: given[headers.requestId],
    traceparent: given[headers.traceparent],
  }
}

/** The outcome `held` for a record that could not be decided, if it says who sent it and under which id. */
export function heldOutcome(record: IncomingRecord): Outcome | undefined {
  let value: unknown
  try {
    value = parseJson(record.value)
  } catch {
    return undefined
  }
  const parsed = parseEnvelope(value)
  const held = { state: 'held', code: 'command.held' } as const
  if (parsed.ok) {
    const { actor, id, subject, type, data } = parsed.envelope
    return { actor, id, subject, hash: hashOf(type, subject, data), ...held }
  }
  const name = nameSchema.safeParse(value)
  return name.success ? { ...name.data, ...held } : undefined
}
