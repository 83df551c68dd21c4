import { KlatschError, knownEvent, type StreamEvent, streamEventSchema, streamKind } from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'
import type { EchoEvent } from '../domain/echo.ts'

/**
 * What the echo counts of a record of `chat.events`; undefined for streams that are no rooms.
 * @throws KlatschError `request.invalid`: not an event
 */
export function decodeEcho({ value }: IncomingRecord): EchoEvent | undefined {
  const event = parsed(value)
  if (streamKind(event.subject) !== 'room') return undefined
  const known = knownEvent(event)
  const text = known?.type === 'chat.message.sent.v1' ? known.data.text : undefined
  return { room: event.subject, seq: event.seq, text }
}

function parsed(value: Buffer): StreamEvent {
  try {
    return streamEventSchema.parse(JSON.parse(value.toString()))
  } catch (cause) {
    throw new KlatschError('request.invalid', 'not an event', { cause })
  }
}
