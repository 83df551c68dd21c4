import { context, propagation, type TextMapPropagator, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Closable } from './lifecycle.ts'

const CLOSE_MS = 3_000

/** From now on spans are recorded, and sent to an OTLP/HTTP endpoint in batches. */
export function exportTraces(service: string, endpoint: string, propagator: TextMapPropagator): Closable {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': `klatsch-${service}` }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }),
      }),
    ],
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(propagator)
  trace.setGlobalTracerProvider(provider)
  return {
    async close() {
      await Promise.race([
        provider.shutdown(),
        new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref()),
      ])
    },
  }
}
