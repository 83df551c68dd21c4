import { type RunFile, readRunFile, type Stack } from '@klatsch/local-stack'
import type { Controls } from './chaos.ts'

/** The parts of a stack that this process started. */
export function controlsOfStack(stack: Stack): Controls {
  return {
    look(part) {
      const supervised = stack.parts.get(part)
      return { pid: supervised?.pid, ready: supervised?.state.kind === 'ready' }
    },
    signal: (part, signal) => stack.kill(part, signal),
  }
}

/** The parts of a stack that another process runs on a data folder. */
export function controlsOfDataDir(dataDir: string): Controls {
  const partOf = (part: string): RunFile['parts'][string] | undefined => readRunFile(dataDir)?.parts[part]
  return {
    look(part) {
      const there = partOf(part)
      return { pid: there?.process?.pid, ready: there?.state === 'ready' }
    },
    signal(part, signal) {
      const pid = partOf(part)?.process?.pid
      if (pid !== undefined) process.kill(pid, signal)
    },
  }
}
