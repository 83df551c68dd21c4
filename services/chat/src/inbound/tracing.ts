import { topics } from '@klatsch/contracts'
import { failSpan, SpanKind, startSpan, traceparentOf } from '@klatsch/service-kit'
import type { Incoming } from '../domain/batch.ts'

/**
 * Gives each command that came with a trace a span of its own, which what follows from it continues. Commands without
 * a trace, as all are when no traces are sent, are left as they are.
 */
export function traced(commands: readonly Incoming[]): {
  readonly commands: readonly Incoming[]
  readonly end: (error?: unknown) => void
} {
  if (commands.every(({ origin }) => origin.traceparent === undefined)) return { commands, end: () => {} }
  const spans: ReturnType<typeof startSpan>[] = []
  return {
    commands: commands.map((command) => {
      const { envelope, origin } = command
      if (origin.traceparent === undefined) return command
      const span = startSpan(`process ${topics.commands.name}`, SpanKind.CONSUMER, origin.traceparent, {
        'messaging.system': 'kafka',
        'messaging.operation.name': 'process',
        'messaging.destination.name': topics.commands.name,
        'messaging.message.id': envelope.id,
      })
      spans.push(span)
      return { ...command, origin: { ...origin, traceparent: traceparentOf(span) ?? origin.traceparent } }
    }),
    end(error) {
      for (const span of spans) error === undefined ? span.end() : failSpan(span, error)
    },
  }
}
