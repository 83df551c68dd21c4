import { KlatschError, limits, parseCommandData } from '@klatsch/contracts'
import { frameOf } from './outbox.ts'
import type { Outcome, PendingCommand } from './types.ts'

/** Why a command could never be accepted, as the server would say it. */
export function objection(command: PendingCommand): KlatschError | undefined {
  if (command.subject === undefined && command.type !== 'chat.room.create.v1') {
    return new KlatschError('command.invalid', `subject: ${command.type} needs one`)
  }
  const parsed = parseCommandData(command.type, command.subject, command.data)
  if (!parsed.ok) return new KlatschError(parsed.code, parsed.detail)
  // The longest `after` there can be is as long as the id.
  const bytes = new TextEncoder().encode(JSON.stringify(frameOf(command, command.id))).length
  return bytes > limits.frameBytes ? new KlatschError('request.too_large') : undefined
}

export function refusedAtOnce(error: KlatschError): Promise<Outcome> {
  const outcome = Promise.reject(error)
  outcome.catch(() => {})
  return outcome
}
