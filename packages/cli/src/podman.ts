// Containers of a compose project, asked of podman as whoever runs it: no socket of it is mounted anywhere.
import { execFile } from 'node:child_process'
import { CliError } from './stack.ts'

const PODMAN_MS = 120_000
const OUTPUT_BYTES = 2 ** 29

const LABEL = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
} as const

/** A container as it is now. */
export interface Container {
  /** As parts are called in the local stack: `chat`, `gateway`, `gateway-2`. */
  readonly part: string
  readonly id: string
  /** Of the host; undefined when it does not run. */
  readonly pid: number | undefined
  readonly state: 'running' | 'frozen' | 'ended'
  /** It runs, and its health check, where it has one, says that it does its work. */
  readonly ready: boolean
  /** `address:port` by which it can be reached from outside. */
  readonly published: readonly string[]
  /** The arguments by which podman was told to make it; empty when it was made in another way. */
  readonly madeBy: readonly string[]
}

/** Resolves with what it wrote. Rejects with CliError, which has the last line of its complaint. */
export function podman(
  args: readonly string[],
  { input, timeoutMs = PODMAN_MS }: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: timeoutMs, maxBuffer: OUTPUT_BYTES }
    const child = execFile('podman', args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      const said = stderr.trim().split('\n').at(-1)
      reject(new CliError(`podman ${args[0]} failed: ${said || error.message}`, { cause: error }))
    })
    // What it did not want to hear is in its exit code.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

interface Inspected {
  readonly Id: string
  readonly Config: {
    readonly Labels?: Readonly<Record<string, string>> | null
    readonly CreateCommand?: readonly string[] | null
  }
  readonly State: { readonly Status: string; readonly Pid: number; readonly Health?: { Status?: string } }
  readonly NetworkSettings: {
    readonly Ports?: Readonly<
      Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>
    > | null
  }
}

export async function containersOf(project: string): Promise<readonly Container[]> {
  const ids = await podman(['ps', '-aq', '--filter', `label=${LABEL.project}=${project}`])
  return inspect(ids.split('\n').filter(Boolean))
}

/** @throws CliError when one is not there any more */
export async function inspect(ids: readonly string[]): Promise<readonly Container[]> {
  if (ids.length === 0) return []
  const inspected: Inspected[] = JSON.parse(await podman(['inspect', '--type', 'container', ...ids]))
  return inspected.map(containerOf)
}

function containerOf({ Id, Config, State, NetworkSettings }: Inspected): Container {
  const labels = Config.Labels ?? {}
  const service = labels[LABEL.service] ?? ''
  const number = labels[LABEL.number] ?? '1'
  const health = State.Health?.Status || 'none'
  const running = State.Status === 'running'
  const paused = State.Status === 'paused'
  const bound = Object.values(NetworkSettings.Ports ?? {}).flatMap((each) => each ?? [])
  return {
    part: number === '1' ? service : `${service}-${number}`,
    id: Id.slice(0, 12),
    pid: running || paused ? State.Pid : undefined,
    state: running ? 'running' : paused ? 'frozen' : 'ended',
    ready: running && (health === 'healthy' || health === 'none'),
    published: bound.map(({ HostIp, HostPort }) => {
      const everywhere = HostIp === '' || HostIp === '0.0.0.0' || HostIp === '::'
      return `${everywhere ? '127.0.0.1' : HostIp}:${HostPort}`
    }),
    madeBy: Config.CreateCommand?.slice(1) ?? [],
  }
}

/** What makes one more container like the one that was made so: under another name, ending for good when it ends, an hour later at most. */
export function madeLike(
  madeBy: readonly string[],
  { name, part }: { readonly name: string; readonly part: string },
): string[] {
  const [verb, ...rest] = madeBy
  const args = [verb === 'run' ? 'run' : 'create', '--timeout=3600']
  for (let index = 0; index < rest.length; index += 1) {
    const arg = rest[index]!
    const [option, value] = [/^--[a-z-]+/.exec(arg)?.[0], arg.includes('=')]
    // It is nobody's who would start it again, and waits for nobody.
    if (option === '--restart' || option === '--requires') index += value ? 0 : 1
    else if (option === '--name') {
      args.push(`--name=${name}`)
      index += value ? 0 : 1
    } else args.push(relabelled(arg, part))
  }
  return args
}

/** The label that says of which service it is, where this is that. */
function relabelled(arg: string, part: string): string {
  const label = /^(?:--label=)?(?:com\.docker|io\.podman)\.compose\.(service|container-number)=/.exec(arg)
  if (!label) return arg
  return `${label[0]}${label[1] === 'service' ? part : '1'}`
}
