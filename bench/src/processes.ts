import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Answer, Calls } from './calls.ts'
import type { Usage } from './usage.ts'

const STOP_MS = 10_000
const CALL_MS = 120_000
const usageScript = new URL('./usage.ts', import.meta.url).href

/** Whether processes can be bound to a core here. */
export const canPin = process.platform === 'linux' && spawnSync('taskset', ['--version']).status === 0

export interface ProcessOptions {
  readonly name: string
  /** Where its output goes: `<name>.log` in this folder. */
  readonly dir: string
  readonly env?: NodeJS.ProcessEnv
  /** The core it is bound to, where that is possible. */
  readonly core?: number
  /** For Node, before the script. */
  readonly flags?: readonly string[]
  /** Modules that are loaded before the script. */
  readonly imports?: readonly URL[]
  /** Where to write a CPU profile when it ends. */
  readonly profileDir?: string | undefined
}

/** A Node process of the bench's. Ends with it. */
export interface BenchProcess<C extends Calls = Calls> {
  readonly pid: number
  call<K extends keyof C & string>(name: K, ...args: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>>
  /** `collect`: after the garbage was collected. */
  usage(collect?: boolean): Promise<Usage>
  /** Throws, with its last words, once it has ended without being asked to. */
  assertRunning(): void
  /** Resolves when it has ended by itself with exit code 0; rejects for another end. */
  finished(): Promise<void>
  freeze(): void
  thaw(): void
  /** Ends it with SIGKILL. */
  kill(): Promise<void>
  stop(): Promise<void>
}

const running = new Set<BenchProcess>()

/** Stops all that was started here, the last one first. */
export async function stopAll(): Promise<void> {
  for (const each of [...running].toReversed()) await each.stop()
}

export function startProcess<C extends Calls = Calls>(
  script: URL,
  { name, dir, env, core, profileDir, flags = [], imports = [] }: ProcessOptions,
): BenchProcess<C> {
  const logFile = join(dir, `${name}.log`)
  const log = openSync(logFile, 'a')
  const node = [
    '--disable-warning=ExperimentalWarning',
    ...flags,
    '--expose-gc',
    '--import',
    usageScript,
    ...imports.flatMap(({ href }) => ['--import', href]),
    ...(profileDir
      ? ['--cpu-prof', '--cpu-prof-dir', profileDir, '--cpu-prof-name', `${name}.cpuprofile`]
      : []),
    fileURLToPath(script),
  ]
  const pinned = core !== undefined && canPin ? ['taskset', '-c', String(core)] : []
  const [file, ...args] = [...pinned, process.execPath, ...node]
  const child = spawn(file!, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log, 'ipc'],
    serialization: 'json',
  })
  closeSync(log)
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let next = 0
  let stopped = false

  child.on('message', (answer: Answer) => {
    const waiter = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) waiter?.reject(new Error(`${name}: ${answer.error}`))
    else waiter?.resolve(answer.result as never)
  })
  let end: Error | undefined
  const ended = new Promise<number | null>((resolve) => {
    const conclude = (how: string, code: number | null) => {
      end = new Error(`${name} ended (${how})${stopped ? '' : `\n${lastLines(logFile)}`}`)
      for (const { reject } of waiting.values()) reject(end)
      waiting.clear()
      running.delete(started)
      resolve(code)
    }
    child.once('error', (error) => conclude(error.message, null))
    child.once('exit', (code, signal) => conclude(signal ?? `exit code ${code}`, code))
  })

  function call<T>(call: string, args: unknown = {}): Promise<T> {
    next += 1
    const id = next
    return new Promise<T>((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(id)
        reject(new Error(`${name} did not answer ${call} within ${CALL_MS / 1_000} s`))
      }, CALL_MS)
      const settled =
        <V>(settle: (value: V) => void) =>
        (value: V) => {
          clearTimeout(late)
          settle(value)
        }
      waiting.set(id, { resolve: settled(resolve), reject: settled(reject) })
      if (end) waiting.get(id)?.reject(end)
      else child.send({ id, name: call, args })
    })
  }

  const started: BenchProcess<C> = {
    pid: child.pid ?? 0,
    call,
    usage: (collect = false) => call('usage', { collect }),
    assertRunning() {
      if (end && !stopped) throw end
    },
    async finished() {
      if ((await ended) !== 0) throw end
    },
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    async kill() {
      stopped = true
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      stopped = true
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await ended
      clearTimeout(late)
    },
  }
  running.add(started)
  endWithUs(child)
  return started
}

/** Should we be killed in the middle, a frozen child would not notice. */
function endWithUs(child: ChildProcess): void {
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-20).join('\n')
}
