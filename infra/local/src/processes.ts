import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { errorCode } from './problem.ts'

const linux = process.platform === 'linux'

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
  // What has ended and was not yet collected by its parent does nothing any more.
  return !(linux && statOf(pid)?.state === 'Z')
}

function statOf(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

/** A name for this very process that a later one with the same pid does not have; undefined when there is none. */
export function identityOf(pid: number): string | undefined {
  if (!isAlive(pid)) return undefined
  if (linux) {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${pid}@${boot}+${statOf(pid)?.startTicks}`
  }
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      timeout: 5_000,
    })
    return `${pid}@${started.trim()}`
  } catch {
    return undefined
  }
}

/** Sends a signal; a process that is gone already is as good as told. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

/**
 * The processes whose working directory is `dir`, by which a Postgres cluster's can be told even after their
 * postmaster was killed. Known on Linux only; elsewhere the list is empty.
 */
export function processesIn(dir: string): number[] {
  if (!linux) return []
  const wanted = (() => {
    try {
      return realpathSync(dir)
    } catch {
      return undefined
    }
  })()
  if (wanted === undefined) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === wanted && isAlive(pid)
      } catch {
        return false
      }
    })
}
