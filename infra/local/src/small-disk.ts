import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { hold, release } from './leash.ts'
import { messageOf, Problem } from './problem.ts'
import type { Command } from './supervisor.ts'

/** A disk of a fixed size, which can be filled to the last byte. */
export interface Disk {
  /** From now on nothing more can be written, until it is freed. */
  fill(): Promise<void>
  /** Gives back what filled it. */
  free(): Promise<void>
}

export interface SmallDisk extends Disk {
  /** The same command, where the disk can be seen, in `cwd`. */
  wrap(command: Command & { readonly cwd: string }): Command
  /** The disk is gone, with all that is on it. */
  close(): void
}

const START_MS = 10_000
const FILL_MS = 60_000

/**
 * A disk in memory at the folder `name` of `dir`, that begins as a copy of the folder `from`. Only whom `wrap` starts sees
 * it: it lives in a mount namespace of its own, and so leaves nothing behind, however this process ends.
 * @throws Problem where that cannot be: it needs Linux, and root or user namespaces for everyone.
 */
export async function smallDisk(options: {
  readonly dir: string
  readonly name: string
  readonly from: string
  readonly megabytes: number
}): Promise<SmallDisk> {
  const { dir, name, from, megabytes } = options
  const isRoot = process.getuid?.() === 0
  const user = isRoot ? [] : ['--user']
  const script = [
    'cd "$1" && mkdir -p "$2" && mount -t tmpfs -o "size=$4m,mode=700" tmpfs "$2" && cp -a "$3" "$2/$3"',
    'echo ready; exec sleep infinity',
  ].join(' && ')
  const holder = spawn(
    'unshare',
    [
      ...(isRoot ? [] : ['--user', '--map-root-user']),
      ...['--mount', '--', 'sh', '-c', script, 'sh'],
      ...[dir, name, from, String(megabytes)],
    ],
    { detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const { pid } = await started(holder)
  hold({ pid, signal: 'SIGKILL', order: 3 })
  const inside = ['--target', String(pid), '--mount', ...user, ...(isRoot ? [] : ['--preserve-credentials'])]
  const run = (what: string, withinMs: number) =>
    promisify(execFile)('nsenter', [...inside, '--', 'sh', '-c', what, 'sh', `${dir}/${name}`], {
      timeout: withinMs,
    })

  return {
    wrap: ({ file, args, cwd, ...rest }) => ({
      ...rest,
      file: 'nsenter',
      args: [...inside, '--', 'sh', '-c', 'cd "$0" && exec "$@"', cwd, file, ...args],
    }),
    async fill() {
      await run('cat /dev/zero >"$1/ballast" 2>/dev/null; true', FILL_MS)
    },
    async free() {
      await run('rm -f "$1/ballast"', FILL_MS)
    },
    close() {
      release(pid)
      holder.kill('SIGKILL')
    },
  }
}

async function started(holder: ReturnType<typeof spawn>): Promise<{ pid: number }> {
  let complaint = ''
  holder.stderr?.on('data', (text) => {
    complaint += text
  })
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: holder.stdout! }).once('line', () => resolve())
    holder.once('error', reject)
    holder.once('exit', () => reject(new Error(complaint.trim() || 'unshare ended at once')))
    setTimeout(() => reject(new Error('no answer')), START_MS).unref()
  })
  try {
    await ready
    return { pid: holder.pid! }
  } catch (error) {
    holder.kill('SIGKILL')
    throw new Problem(
      `A disk of a fixed size cannot be made here (${messageOf(error)}). It needs Linux, and root or user namespaces that everyone may make.`,
      { cause: error },
    )
  }
}
