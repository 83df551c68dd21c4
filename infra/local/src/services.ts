import { join } from 'node:path'
import { nodeFlags } from './node-flags.ts'
import { projectRoot } from './paths.ts'
import { freePorts } from './ports.ts'
import type { Part } from './supervisor.ts'

const STOP_MS = 15_000

/**
 * A process of one of our own services as a part: `services/<service>/src/main.ts`, ready when its `/readyz` says so.
 * Each process gets a port of its own on which it is asked that; others may share its public one.
 */
export function servicePart(of: {
  /** As it is called among the parts. */
  readonly name: string
  readonly service: string
  readonly env: NodeJS.ProcessEnv
  readonly onLine: (line: string) => void
}): Part {
  let opsPort = 0
  return {
    name: of.name,
    async command() {
      opsPort = (await freePorts(1))[0]!
      return {
        file: process.execPath,
        args: [
          '--disable-warning=ExperimentalWarning',
          ...nodeFlags(of.service),
          join(projectRoot, 'services', of.service, 'src', 'main.ts'),
        ],
        cwd: projectRoot,
        env: { ...of.env, OPS_PORT: String(opsPort) },
      }
    },
    isReady: async (signal) => (await fetch(`http://127.0.0.1:${opsPort}/readyz`, { signal })).ok,
    // When all of it stops, there is nobody to hand over to, and nobody to wait for.
    stopping: { signal: 'SIGINT', withinMs: STOP_MS, order: 1 },
    onLine: of.onLine,
  }
}
