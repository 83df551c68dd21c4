import { askStack, type Control, readRunFile, type Stack } from '@klatsch/local-stack'
import type { Controls } from './chaos.ts'

/** The parts of a stack that this process started. */
export function controlsOfStack(stack: Stack): Controls {
  return {
    async look(part) {
      const supervised = stack.parts.get(part)
      return { pid: supervised?.pid, ready: supervised?.state.kind === 'ready' }
    },
    kill: async (part) => void stack.kill(part, 'SIGKILL'),
    freeze: async (part, forMs) => void stack.freeze(part, forMs),
    wake: async (part) => void stack.wake(part),
  }
}

/** The parts of a stack that another process runs on a data folder, and that takes orders there. */
export function controlsOfDataDir(dataDir: string): Controls {
  const run = () => readRunFile(dataDir)
  const control = (): Control => {
    const found = run()?.control
    if (!found) throw new Error(`nothing that takes orders runs on ${dataDir}`)
    return found
  }
  return {
    async look(part) {
      const there = run()?.parts[part]
      return { pid: there?.process?.pid, ready: there?.state === 'ready' }
    },
    kill: async (part) => void (await askStack(control(), 'parts/kill', { part })),
    freeze: async (part, forMs) => void (await askStack(control(), 'parts/freeze', { part, forMs })),
    wake: async (part) => void (await askStack(control(), 'parts/wake', { part })),
  }
}
