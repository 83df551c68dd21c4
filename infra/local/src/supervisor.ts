import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { hold, release } from './leash.ts'
import { diskFull, messageOf, Problem, saysDiskFull } from './problem.ts'
import { isAlive, signalProcess } from './processes.ts'

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
}

/** A process to be kept running. */
export interface Part {
  readonly name: string
  /** What to run. Asked for before every start, and clears away what a crash left behind. */
  readonly command: () => Promise<Command>
  /** Whether it answers; asked until it does. A rejection counts as no. */
  readonly isReady: (signal: AbortSignal) => Promise<boolean>
  /** How it is stopped: the signal, how long it may take before SIGKILL, and its turn (lower first). */
  readonly stopping: { readonly signal: NodeJS.Signals; readonly withinMs: number; readonly order: number }
  /** Each line of its output. */
  readonly onLine?: (line: string) => void
  /** Called when it has ended, with its exit code; its answer is what it left to say besides its output. */
  readonly onEnd?: (code: number | null) => Promise<string>
  /** Other processes that belong to it, to be frozen and thawed along. */
  readonly family?: () => readonly number[]
}

export type PartState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'starting'; readonly pid: number | undefined }
  | { readonly kind: 'ready'; readonly pid: number; readonly since: number }
  | { readonly kind: 'waiting'; readonly untilMs: number }

export interface Supervised {
  readonly name: string
  readonly state: PartState
  /** The process, while there is one. */
  readonly pid: number | undefined
  /** Starts it and keeps it running. Resolves when it answers for the first time; rejects when it never does. */
  start(): Promise<void>
  /** Resolves when it answers, at once if it does now. */
  ready(): Promise<void>
  /** Sends a signal; a process that ends by it is started again. */
  kill(signal: NodeJS.Signals): void
  /** Stops it for good, until the next `start`; as its `stopping` says, or otherwise. Again: by another signal. */
  stop(how?: { readonly signal: NodeJS.Signals; readonly withinMs: number }): Promise<void>
}

export interface SuperviseOptions {
  /** What the person at the terminal should know: it died, it is back. */
  readonly say?: (sentence: string) => void
  /** Called whenever there is another process, or none. */
  readonly onChange?: () => void
}

const POLL_MS = 40
const ANSWER_MS = 3_000
const LAST_OUTPUT_MS = 200
const FIRST_READY_MS = 180_000
const BACKOFF_MS = { first: 100, most: 5_000 }
/** A process that answered for so long had a good start: the backoff begins anew. */
const GOOD_RUN_MS = 1_000
/** Ends in a row before the first answer after which starting is given up. */
const FIRST_TRIES = 3
const KEPT_LINES = 20

/** Keeps one process running. Nothing is started before `start`. */
export function supervise(
  part: Part,
  { say = () => {}, onChange = () => {} }: SuperviseOptions = {},
): Supervised {
  let state: PartState = { kind: 'stopped' }
  let child: ChildProcess | undefined
  let keeping: { readonly abort: AbortController; readonly over: Promise<void> } | undefined
  let waiters: (() => void)[] = []

  const become = (next: PartState) => {
    state = next
    onChange()
    if (next.kind === 'ready') for (const waiter of waiters.splice(0)) waiter()
  }

  /** Runs the process once, from its start to its end, and says how it ended. */
  async function runOnce(
    stopping: AbortSignal,
    onReady: () => void,
  ): Promise<{ how: string; output: string }> {
    const command = await part.command()
    if (stopping.aborted) return { how: 'not started', output: '' }
    const started = run(command, part)
    child = started.child
    become({ kind: 'starting', pid: child.pid })
    started.ended.addEventListener('abort', () => become({ kind: 'waiting', untilMs: Date.now() }))
    const watching = watch(child, AbortSignal.any([stopping, started.ended]), onReady)
    const how = await started.end
    await watching
    const lastWords = await part.onEnd?.(child.exitCode).catch(messageOf)
    child = undefined
    return { how, output: [...started.lines, lastWords].join('\n').trim() }
  }

  async function watch(child: ChildProcess, ended: AbortSignal, onReady: () => void): Promise<void> {
    while (!ended.aborted) {
      const isReady = await part
        .isReady(AbortSignal.any([ended, AbortSignal.timeout(ANSWER_MS)]))
        .catch(() => false)
      if (ended.aborted || child.pid === undefined) return
      if (isReady) {
        become({ kind: 'ready', pid: child.pid, since: Date.now() })
        onReady()
        return
      }
      await sleep(POLL_MS, undefined, { signal: ended }).catch(() => {})
    }
  }

  async function keep(stopping: AbortSignal, onFirst: () => void, onGivenUp: (why: Problem) => void) {
    let everReady = false
    let failures = 0
    let downSince: number | undefined
    while (!stopping.aborted) {
      let readyAt: number | undefined
      const { how, output } = await runOnce(stopping, () => {
        readyAt = Date.now()
        if (downSince !== undefined)
          say(`${part.name} is back after ${((Date.now() - downSince) / 1_000).toFixed(1)} s`)
        downSince = undefined
        everReady = true
        onFirst()
      }).catch((error: unknown) => ({ how: 'it could not be started', output: messageOf(error) }))
      if (stopping.aborted) return
      downSince ??= Date.now()
      failures = readyAt !== undefined && Date.now() - readyAt > GOOD_RUN_MS ? 1 : failures + 1
      if (!everReady && (failures >= FIRST_TRIES || saysDiskFull(output))) {
        onGivenUp(whyItFailed(part.name, how, output))
        return
      }
      const delay = Math.min(BACKOFF_MS.first * 2 ** (failures - 1), BACKOFF_MS.most)
      say(`${part.name} is down (${saysDiskFull(output) ? 'the disk is full' : how}); starting it again`)
      become({ kind: 'waiting', untilMs: Date.now() + delay })
      await sleep(delay, undefined, { signal: stopping }).catch(() => {})
    }
  }

  function kill(signal: NodeJS.Signals): void {
    const family = signal === 'SIGSTOP' || signal === 'SIGCONT' ? (part.family?.() ?? []) : []
    for (const pid of family) signalProcess(pid, signal)
    if (child?.pid !== undefined) signalProcess(child.pid, signal)
  }

  function ready(): Promise<void> {
    // It may have died a moment ago without our having been told.
    if (state.kind === 'ready' && isAlive(state.pid)) return Promise.resolve()
    return new Promise((resolve) => {
      waiters = [...waiters, resolve]
    })
  }

  return {
    name: part.name,
    get state() {
      return state
    },
    get pid() {
      return child?.pid
    },
    ready,
    kill,
    start() {
      if (keeping) return ready()
      const abort = new AbortController()
      const first = Promise.withResolvers<void>()
      const deadline = setTimeout(() => {
        first.reject(
          new Problem(`${part.name} did not answer within ${FIRST_READY_MS / 1_000} s of its start.`),
        )
      }, FIRST_READY_MS)
      const over = keep(abort.signal, first.resolve, first.reject).finally(() => {
        keeping = undefined
        become({ kind: 'stopped' })
        first.reject(new Problem(`${part.name} was stopped before it was ready.`))
      })
      keeping = { abort, over }
      return first.promise.finally(() => clearTimeout(deadline))
    },
    async stop(how = part.stopping) {
      if (!keeping) return
      const { abort, over } = keeping
      abort.abort()
      kill('SIGCONT')
      kill(how.signal)
      const late = setTimeout(() => kill('SIGKILL'), how.withinMs)
      await over.finally(() => clearTimeout(late))
    },
  }
}

/** Starts it; what does not come up is stopped again. */
export async function started<T extends Supervised>(part: T): Promise<T> {
  try {
    await part.start()
    return part
  } catch (error) {
    await part.stop()
    throw error
  }
}

/** Starts a process in a session of its own: Ctrl-C reaches the supervisor alone, which stops the parts in order. */
function run(command: Command, part: Part) {
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid !== undefined) hold({ pid, signal: part.stopping.signal, order: part.stopping.order })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (lines.length > KEPT_LINES) lines.shift()
      part.onLine?.(line)
    })
  }
  const ended = new AbortController()
  const closed = new Promise((resolve) => child.once('close', resolve))
  const end = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      lines.push(messageOf(error))
      if (pid === undefined) resolve('it could not be run')
    })
    child.once('exit', (code, by) => {
      if (pid !== undefined) release(pid)
      ended.abort()
      const how = by ? `killed by ${by}` : `exit code ${code}`
      // Its children may still have its output open, so what is left of that is not waited for long.
      Promise.race([closed, sleep(LAST_OUTPUT_MS)]).then(() => resolve(how))
    })
  }).finally(() => ended.abort())
  return { child, lines, end, ended: ended.signal }
}

function whyItFailed(name: string, how: string, output: string): Problem {
  if (saysDiskFull(output)) return diskFull(`the data of ${name}`)
  return new Problem(`${name} does not start (${how}). Its last words:\n${indent(output || '(none)')}`)
}

const indent = (text: string): string => text.replaceAll(/^/gm, '    ')
