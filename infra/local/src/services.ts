import { join } from 'node:path'
import { projectRoot } from './paths.ts'
import type { Part } from './supervisor.ts'

const STOP_MS = 15_000

/** One of our own services as a part: `services/<name>/src/main.ts`, ready when its `/readyz` says so. */
export function servicePart(service: {
  readonly name: string
  /** Where it is asked: its address on loopback. */
  readonly url: string
  readonly env: NodeJS.ProcessEnv
  readonly onLine: (line: string) => void
}): Part {
  return {
    name: service.name,
    command: async () => ({
      file: process.execPath,
      args: [
        '--disable-warning=ExperimentalWarning',
        join(projectRoot, 'services', service.name, 'src', 'main.ts'),
      ],
      cwd: projectRoot,
      env: service.env,
    }),
    isReady: async (signal) => (await fetch(`${service.url}/readyz`, { signal })).ok,
    stopping: { signal: 'SIGTERM', withinMs: STOP_MS, order: 1 },
    onLine: service.onLine,
  }
}
