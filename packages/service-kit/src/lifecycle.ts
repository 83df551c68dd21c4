import { ConfigError } from './config.ts'
import type { Log } from './log.ts'
import { createLog } from './log.ts'
import { startTelemetry } from './telemetry.ts'

/**
 * What a service holds open. Parts are closed in the reverse of the order in which they were taken into use.
 * `hurry` is aborted when nobody waits for a graceful end any more.
 */
export interface Closable {
  close(hurry?: AbortSignal): Promise<void> | void
}

export interface ServiceContext {
  readonly log: Log
  /** Waits for the part and remembers to close it. */
  use<T extends Closable>(part: Promise<T> | T): Promise<T>
}

/** Runs a task again and again until closed. */
export function every(ms: number, task: () => void): Closable {
  const timer = setInterval(task, ms)
  return { close: () => clearInterval(timer) }
}

/** Ends the process when a consumer has stopped for good: whoever supervises it starts a fresh one. */
export function endWhenStopped(consumer: {
  readonly state: { readonly kind: string; readonly reason?: string }
}): Closable {
  return every(500, () => {
    const { kind, reason } = consumer.state
    if (kind === 'stopped') throw new Error(`the consumer has stopped: ${reason}`)
  })
}

interface BaseConfig {
  readonly LOG_LEVEL: string
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined
}

/** The whole stop may take this long, and what the service says on top; then the process ends anyway. */
const STOP_MS = 40_000

/**
 * Runs a service until it is told to stop, or until it cannot go on: builds it, and closes what it used backwards.
 * SIGTERM is a graceful end; SIGINT, or a second signal, one without waiting for anybody.
 * Exit codes: 0 stopped as asked, 1 failed, 2 wrong settings.
 */
export async function runService<C extends BaseConfig>(
  name: string,
  read: () => C,
  build: (config: C, context: ServiceContext) => Promise<void>,
  drainMs: (config: C) => number = () => 0,
): Promise<void> {
  let config: C
  try {
    config = read()
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`)
    process.exit(error instanceof ConfigError ? 2 : 1)
  }
  const log = createLog(name, config.LOG_LEVEL)
  const parts: Closable[] = [await startTelemetry(name, config.OTEL_EXPORTER_OTLP_ENDPOINT)]
  const hurry = new AbortController()
  let stopping = false

  async function stop(code: number): Promise<void> {
    if (stopping) return
    stopping = true
    const deadline = setTimeout(() => {
      log.error({}, 'did not stop in time')
      process.exit(1)
    }, STOP_MS + drainMs(config))
    deadline.unref()
    for (const part of parts.toReversed()) {
      try {
        await part.close(hurry.signal)
      } catch (error) {
        log.error({ err: error }, 'a part did not close cleanly')
      }
    }
    log.info({}, 'stopped')
    process.exit(code)
  }

  process.on('SIGTERM', () => {
    if (stopping) hurry.abort()
    void stop(0)
  })
  process.on('SIGINT', () => {
    hurry.abort()
    void stop(0)
  })
  const crash = (err: unknown) => {
    log.error({ err }, 'cannot go on')
    hurry.abort()
    void stop(1)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)

  try {
    await build(config, {
      log,
      async use(part) {
        const made = await part
        parts.push(made)
        return made
      },
    })
    log.info({}, 'ready')
  } catch (error) {
    crash(error)
  }
}
