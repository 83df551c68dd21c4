// Loaded before every measured process (node --import): says what the process used so far.
import type { Answer, Call } from './calls.ts'

export interface Usage {
  /** CPU time in milliseconds, of user and kernel, since the process began. */
  readonly cpuMs: number
  /** Resident bytes. */
  readonly rss: number
  /** Bytes that JavaScript holds, the pages kept for them, and what hangs on them outside. */
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
}

process.on('message', ({ id, name, args }: Call) => {
  if (name !== 'usage') return
  if ((args as { collect: boolean }).collect) {
    globalThis.gc?.()
    globalThis.gc?.()
  }
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  process.send?.({
    id,
    result: { cpuMs: (user + system) / 1_000, rss, heapUsed, heapTotal, external } satisfies Usage,
  } satisfies Answer)
})
// A service must end as if nobody listened here.
process.channel?.unref()
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
