import { CliError, runningStack } from './stack.ts'

const signals = { kill: 'SIGKILL', freeze: 'SIGSTOP', wake: 'SIGCONT' } as const

/** Kills, freezes or wakes one part of the running stack; a part that is killed is started again by itself. */
export function signalPart(part: string, how: keyof typeof signals, env: NodeJS.ProcessEnv): string {
  const { parts } = runningStack(env)
  const found = Object.hasOwn(parts, part) ? parts[part] : undefined
  if (!found)
    throw new CliError(`there is no part called "${part}". There are: ${Object.keys(parts).join(', ')}.`)
  if (!found.process) throw new CliError(`${part} is not running at the moment (${found.state}).`)
  try {
    process.kill(found.process.pid, signals[how])
  } catch (cause) {
    throw new CliError(
      `${part} (process ${found.process.pid}) could not be reached: ${(cause as Error).message}`,
      { cause },
    )
  }
  const done = {
    kill: 'killed with -9; it comes back by itself',
    freeze: 'frozen; wake it with "klatsch wake"',
    wake: 'awake again',
  }
  return `${part} (process ${found.process.pid}) is ${done[how]}.`
}
