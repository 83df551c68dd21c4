// klatsch: chat, look at the log, replay it, and break things, from the terminal.
import { klatschProgram } from './program.ts'
import { CliError } from './stack.ts'

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

try {
  await klatschProgram({ env: process.env, signal: interrupted.signal }).parseAsync()
} catch (error) {
  const known =
    error instanceof CliError ||
    (error instanceof Error && ['KlatschError', 'DrillError'].includes(error.name))
  console.error(
    `klatsch: ${known ? (error as Error).message : error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  )
  process.exitCode = interrupted.signal.aborted ? 130 : 1
}
