import { existsSync, readFileSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Problem } from './problem.ts'
import type { Command } from './supervisor.ts'

/** As whom a Postgres runs, and how a command is made to run so. */
export interface RunAs {
  /** The owner that its files must have; undefined: whoever we are. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  wrap(command: Command): Command
}

/**
 * Postgres refuses to run as root. So root runs it as the owner of the cluster, or as `nobody` for a new one, with
 * one right kept: to enter folders that only root may enter (its home, where clones and caches tend to be).
 */
export function postgresUser(cluster: string): RunAs {
  if (process.getuid?.() !== 0) return { owner: undefined, wrap: (command) => command }
  const owner = ownerOf(cluster) ?? nobody()
  const setpriv = (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'setpriv'))
    .find((file) => existsSync(file))
  if (!owner || !setpriv) {
    throw new Problem(
      'Postgres does not run as root, and this machine has no "setpriv" (util-linux) and user "nobody" to run it as another user. ' +
        'Start as an ordinary user, or set DATABASE_URL to a Postgres of yours.',
    )
  }
  const as = [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ]
  return {
    owner,
    wrap: (command) => ({ ...command, file: setpriv, args: [...as, command.file, ...command.args] }),
  }
}

function ownerOf(cluster: string): { uid: number; gid: number } | undefined {
  if (!existsSync(cluster)) return undefined
  const { uid, gid } = statSync(cluster)
  return uid === 0 ? undefined : { uid, gid }
}

function nobody(): { uid: number; gid: number } | undefined {
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? []
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined
}
