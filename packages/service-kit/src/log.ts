import { trace } from '@opentelemetry/api'
import pino from 'pino'

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}

/** JSON lines on standard output, with the running trace's id. Secrets do not belong in fields; these are the last net. */
export function createLog(service: string, level: string): Log {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: [
      'password',
      'token',
      'accessToken',
      'refreshToken',
      'authorization',
      '*.password',
      '*.token',
      '*.authorization',
    ],
    mixin() {
      const context = trace.getActiveSpan()?.spanContext()
      return context ? { traceId: context.traceId } : {}
    },
  })
}
