import { firstIssue, KlatschError, presenceSignalSchema } from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'
import type { SignalRecord } from '../domain/partition.ts'

/** @throws KlatschError `request.invalid`: not a signal. */
export function decodeSignal(record: IncomingRecord): SignalRecord {
  let value: unknown
  try {
    value = JSON.parse(record.value.toString())
  } catch (cause) {
    throw new KlatschError('request.invalid', 'not JSON', { cause })
  }
  const parsed = presenceSignalSchema.safeParse(value, { reportInput: false })
  if (!parsed.success) throw new KlatschError('request.invalid', firstIssue(parsed.error))
  return { offset: Number(record.offset), time: record.timestamp, signal: parsed.data }
}
