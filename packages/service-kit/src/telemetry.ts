import {
  type Attributes,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { Closable } from './lifecycle.ts'

const propagator = new W3CTraceContextPropagator()

/**
 * Sends traces to an OTLP/HTTP endpoint. Without one nothing is recorded and spans cost nothing; what would send them is
 * not even loaded, which is a tenth of what a service loads to start.
 */
export async function startTelemetry(service: string, endpoint: string | undefined): Promise<Closable> {
  if (!endpoint) return { close() {} }
  const { exportTraces } = await import('./traces.ts')
  return exportTraces(service, endpoint, propagator)
}

export { SpanKind }

/** Starts a span, as a child of the W3C `traceparent` where one is given, and as the root of a trace otherwise. */
export function startSpan(name: string, kind: SpanKind, traceparent?: string, attributes?: Attributes): Span {
  const parent = traceparent
    ? propagator.extract(
        ROOT_CONTEXT,
        { traceparent },
        { get: (carrier, key) => carrier[key as 'traceparent'], keys: (carrier) => Object.keys(carrier) },
      )
    : ROOT_CONTEXT
  return trace.getTracer('klatsch').startSpan(name, attributes ? { kind, attributes } : { kind }, parent)
}

/** The W3C `traceparent` that makes later work a child of this span; undefined when nothing is recorded. */
export function traceparentOf(span: Span): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext()
  if (!isSpanContextValid(span.spanContext())) return undefined
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

/** Ends a span with what went wrong, by its code where it has one; never with message text, which may quote input. */
export function failSpan(span: Span, error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'error'
  span.setStatus({ code: SpanStatusCode.ERROR, message: code })
  span.end()
}
