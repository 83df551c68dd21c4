// The stack in containers, worked on by podman as whoever runs it: no socket of it is mounted anywhere.
import { execFile, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError } from './stack.ts'

/** The name in podman-compose.yaml. */
export const COMPOSE_PROJECT = 'klatsch'

const PODMAN_MS = 120_000
const HEALTHY_MS = 120_000
const POLL_MS = 250
/** What is replaced by a restart; the servers are not. */
const SERVICES = ['chat', 'presence', 'lab', 'gateway']

export interface Container {
  /** As parts are called in the local stack: `chat`, `gateway`, `gateway-2`. */
  readonly part: string
  readonly id: string
  readonly running: boolean
  /** `none` without a health check. */
  readonly health: string
}

/** Blows to the containers of a compose project. Each rejects with CliError. */
export interface ComposeStack {
  readonly parts: readonly Container[]
  /** Ends it by SIGKILL, and starts it again, as a restart policy would: podman takes its own kill for wanted. */
  kill(part: string): Promise<string>
  /** Stops all its processes; a process of its own lets them go on after `forMs`, whatever becomes of this one. */
  freeze(part: string, forMs: number): Promise<string>
  wake(part: string): Promise<string>
  /** One after the other, each healthy before the next. Nobody named: all services. */
  restart(named: readonly string[], onDone: (part: string, ms: number) => void): Promise<void>
}

function podman(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('podman', args, { timeout: PODMAN_MS, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      const said = stderr.trim().split('\n').at(-1)
      reject(new CliError(`podman ${args[0]} failed: ${said || error.message}`, { cause: error }))
    })
  })
}

interface Inspected {
  readonly Id: string
  readonly Config: { readonly Labels?: Readonly<Record<string, string>> }
  readonly State: { readonly Running: boolean; readonly Health?: { readonly Status?: string } }
}

async function containersOf(project: string): Promise<readonly Container[]> {
  const ofProject = `label=com.docker.compose.project=${project}`
  const ids = (await podman('ps', '-aq', '--filter', ofProject)).split('\n').filter(Boolean)
  if (ids.length === 0) return []
  const inspected: Inspected[] = JSON.parse(await podman('inspect', '--type', 'container', ...ids))
  return inspected.map(({ Id, Config: { Labels = {} }, State }) => {
    const service = Labels['com.docker.compose.service'] ?? ''
    const number = Labels['com.docker.compose.container-number'] ?? '1'
    return {
      part: number === '1' ? service : `${service}-${number}`,
      id: Id.slice(0, 12),
      running: State.Running,
      health: State.Health?.Status || 'none',
    }
  })
}

/** @throws CliError when nothing of that project runs. */
export async function composeStack(project: string): Promise<ComposeStack> {
  const parts = await containersOf(project)
  if (parts.length === 0) throw new CliError(`there are no containers of a compose project "${project}".`)

  function running(part: string): string {
    const found = parts.find((each) => each.part === part)
    const names = parts.filter((each) => each.running).map((each) => each.part)
    if (!found) throw new CliError(`there is no container of ${part}. There are: ${names.join(', ')}.`)
    if (!found.running) throw new CliError(`${part} is not running at the moment.`)
    return found.id
  }

  async function healthy(id: string): Promise<void> {
    const deadline = Date.now() + HEALTHY_MS
    for (;;) {
      const found = (await containersOf(project)).find((each) => each.id === id)
      if (found?.running && (found.health === 'healthy' || found.health === 'none')) return
      if (Date.now() > deadline) throw new CliError(`${found?.part ?? id} is not healthy: ${found?.health}.`)
      await sleep(POLL_MS)
    }
  }

  return {
    parts,
    async kill(part) {
      const id = running(part)
      await podman('kill', '--signal', 'KILL', id)
      await podman('start', id)
      return id
    },
    async freeze(part, forMs) {
      const id = running(part)
      // First who wakes it, then the freeze: it never sleeps without.
      const script = 'sleep "$1"; exec podman unpause "$2"'
      const guard = spawn('sh', ['-c', script, 'sh', String(forMs / 1_000), id], {
        detached: true,
        stdio: 'ignore',
      })
      guard.unref()
      await podman('pause', id)
      return id
    },
    async wake(part) {
      const id = running(part)
      await podman('unpause', id)
      return id
    },
    async restart(named, onDone) {
      const chosen = named.length > 0 ? named : SERVICES
      const among = parts.filter(({ part }) =>
        chosen.some((name) => part === name || part.replace(/-\d+$/, '') === name),
      )
      const strangers = named.filter(
        (name) => !among.some(({ part }) => part.replace(/-\d+$/, '') === name || part === name),
      )
      if (strangers.length > 0) throw new CliError(`there is no container of ${strangers.join(', ')}.`)
      for (const { part, id } of among) {
        const began = Date.now()
        await podman('restart', '-t', '45', id)
        await healthy(id)
        onDone(part, Date.now() - began)
      }
    },
  }
}
