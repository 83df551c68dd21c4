import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

/** How the command ended, and what it wrote. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs `klatsch` on the stack under test. */
export function klatsch(...args: string[]): Promise<Ended> {
  const { KLATSCH_URL: _, KAFKA_BROKERS: __, ...own } = process.env
  const env = { ...own, KLATSCH_DATA_DIR: inject('stack').dataDir }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', main, ...args],
      { env, timeout: 50_000 },
      (error, out, err) => resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
    )
  })
}
