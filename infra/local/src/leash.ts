import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A process to be ended with ours: by which signal, and in which turn (lower first). */
export interface Held {
  readonly pid: number
  readonly signal: NodeJS.Signals
  readonly order: number
}

const RESTART_MS = 500
const script = fileURLToPath(new URL('./leash-process.ts', import.meta.url))
const held = new Map<number, Held>()
let leash: ChildProcess | undefined

/**
 * From here on `pid` does not outlive this process, even when this one is killed with -9: a small process of a
 * session of its own waits at the end of a pipe for that.
 */
export function hold(entry: Held): void {
  held.set(entry.pid, entry)
  if (leash) tell({ hold: entry })
  else leash = startLeash()
}

/** `pid` has ended. */
export function release(pid: number): void {
  if (held.delete(pid)) tell({ release: pid })
}

/** The process that ends the others, once there is one. */
export const leashPid = (): number | undefined => leash?.pid

function tell(said: { hold: Held } | { release: number }): void {
  leash?.stdin?.write(`${JSON.stringify(said)}\n`)
}

function startLeash(): ChildProcess {
  const child = spawn(process.execPath, [script], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  // Neither the process nor its pipe keeps ours from ending.
  child.unref()
  const pipe = child.stdin as typeof child.stdin & { unref(): void }
  pipe.unref()
  pipe.on('error', () => {})
  child.on('error', () => {})
  child.on('exit', () => {
    if (leash !== child) return
    leash = undefined
    setTimeout(() => {
      if (!leash && held.size > 0) leash = startLeash()
    }, RESTART_MS).unref()
  })
  for (const entry of held.values()) pipe.write(`${JSON.stringify({ hold: entry })}\n`)
  return child
}
