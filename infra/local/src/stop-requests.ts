import { Socket } from 'node:net'

export interface StopRequests {
  readonly signal: AbortSignal
  /** Resolves at the first request. */
  readonly next: Promise<void>
}

/** The terminal sends Ctrl-C to the group, and run.mjs hands on what it gets: one request arrives more than once. */
const SAME_REQUEST_MS = 1_000

/**
 * Everything that asks this process to stop: Ctrl-C, SIGTERM, a terminal that closes, the end of the process that
 * started it. A second Ctrl-C gives up on order: the leash ends what still runs.
 */
export function stopRequests(say: (sentence: string) => void): StopRequests {
  const abort = new AbortController()
  const next = Promise.withResolvers<void>()
  let firstAt = 0
  function request(hurry: boolean): void {
    if (!abort.signal.aborted) {
      firstAt = Date.now()
      abort.abort(new Error('asked to stop'))
      next.resolve()
    } else if (hurry && Date.now() - firstAt > SAME_REQUEST_MS) {
      say('not waiting any longer')
      process.exit(130)
    }
  }
  process.on('SIGINT', () => request(true))
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => request(false))
  watchParent(() => request(false))
  return { signal: abort.signal, next: next.promise }
}

/** run.mjs gives one end of a pipe whose other end it holds for as long as it lives. */
function watchParent(onGone: () => void): void {
  const fd = Number(process.env.KLATSCH_PARENT_FD)
  if (!fd) return
  delete process.env.KLATSCH_PARENT_FD
  const pipe = new Socket({ fd, readable: true, writable: false })
  pipe.on('end', onGone).on('error', onGone).resume().unref()
}
