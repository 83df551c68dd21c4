import { execFile } from 'node:child_process'
import { hold, release } from './leash.ts'
import { projectRoot } from './paths.ts'
import { diskFull, Problem, saysDiskFull } from './problem.ts'

export interface Script {
  /** The beginning of the sentence when it fails. */
  readonly what: string
  readonly script: string
  readonly args?: readonly string[]
  readonly cwd?: string
  readonly env: NodeJS.ProcessEnv
  readonly withinMs: number
  /** Ends it. */
  readonly signal?: AbortSignal | undefined
}

/** Runs a script to its end on this Node. */
export async function runScript(options: Script): Promise<void> {
  const { what, script, args = [], cwd = projectRoot, env, withinMs, signal } = options
  const limits = { timeout: withinMs, killSignal: 'SIGKILL', ...(signal && { signal }) } as const
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const child = execFile(
    process.execPath,
    [script, ...args],
    { cwd, env, ...limits },
    (error, stdout, stderr) => {
      if (child.pid !== undefined) release(child.pid)
      if (!error) return resolve()
      const output = `${stdout}\n${stderr}`.trim()
      if (saysDiskFull(output)) return reject(diskFull(cwd, error))
      const how = error.killed ? `no end within ${withinMs / 1_000} s` : `exit code ${error.code}`
      reject(new Problem(`${what} (${how}). Its last words:\n${lastLines(output, 12)}`, { cause: error }))
    },
  )
  if (child.pid !== undefined) hold({ pid: child.pid, signal: 'SIGKILL', order: 0 })
  return promise
}

/** Without the places in libraries where it happened. */
const lastLines = (text: string, count: number): string =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n')
