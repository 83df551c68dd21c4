import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Control } from './control.ts'
import { leashPid } from './leash.ts'
import { identityOf } from './processes.ts'
import type { PartState, Supervised } from './supervisor.ts'

/** A process, and a name that tells it from a later one with the same pid. */
export interface ProcessName {
  readonly pid: number
  readonly identity: string
}

/** What runs on a data folder, for tools beside the stack; `run.json` in that folder, readable by its owner alone. */
export interface RunFile {
  /** Where people click. */
  readonly url: string
  readonly port: number
  readonly startedAt: string
  readonly supervisor: ProcessName | undefined
  /** Ends the others when the supervisor is gone. */
  readonly leash: ProcessName | undefined
  readonly brokers: string
  readonly database: { readonly host: string; readonly port: number; readonly name: string }
  readonly internal: Readonly<Record<'chat' | 'gateway' | 'presence' | 'lab', string>>
  /** Where it takes orders, once everything runs. */
  readonly control: Control | undefined
  readonly parts: Readonly<
    Record<string, { readonly state: PartState['kind']; readonly process: ProcessName | undefined }>
  >
}

const fileOf = (dataDir: string): string => join(dataDir, 'run.json')

/** Undefined when nothing runs there, or ever ran. */
export function readRunFile(dataDir: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(dataDir), 'utf8'))
  } catch {
    return undefined
  }
}

/** Keeps `run.json` of a running stack true. */
export function runFileOf(dataDir: string, about: Pick<RunFile, 'url' | 'port' | 'internal'>) {
  const startedAt = new Date().toISOString()
  let brokers = ''
  let control: Control | undefined
  let database: RunFile['database'] = { host: '', port: 0, name: '' }
  return {
    brokers(value: string) {
      brokers = value
    },
    control(value: Control) {
      control = value
    },
    database(url: string) {
      const { hostname, port, pathname } = new URL(url)
      database = { host: hostname, port: Number(port || 5432), name: pathname.slice(1) }
    },
    write(parts: ReadonlyMap<string, Supervised>) {
      write(dataDir, {
        ...about,
        startedAt,
        brokers,
        database,
        control,
        supervisor: nameOf(process.pid),
        leash: nameOf(leashPid()),
        parts: Object.fromEntries(
          [...parts].map(([name, part]) => [name, { state: part.state.kind, process: nameOf(part.pid) }]),
        ),
      })
    },
    remove: () => rmSync(fileOf(dataDir), { force: true }),
  }
}

function nameOf(pid: number | undefined): ProcessName | undefined {
  const identity = pid === undefined ? undefined : identityOf(pid)
  return pid === undefined || identity === undefined ? undefined : { pid, identity }
}

/** Replaced as a whole, so that a reader never sees half of it. A full disk must not stop the stack. */
function write(dataDir: string, run: RunFile): void {
  const part = `${fileOf(dataDir)}.part`
  try {
    writeFileSync(part, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 })
    renameSync(part, fileOf(dataDir))
  } catch {
    // The next change writes it again.
  }
}
