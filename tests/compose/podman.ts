// The compose stack, brought up by podman under a name of its own, for tests.
import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../infra/local/src/ports.ts'
import { isAlive } from '../../infra/local/src/processes.ts'

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const FILE = 'podman-compose.yaml'
/** The project's name is this and the id of the process it belongs to. */
const PROJECT = 'klatsch-test-'
const IMAGES = [
  'docker.io/apache/kafka:4.3.1',
  'docker.io/library/caddy:2',
  'docker.io/library/node:24-slim',
  'docker.io/library/postgres:18',
]

interface Output {
  readonly stdout: string
  readonly stderr: string
}

/** Rejects with what podman wrote when it fails or takes longer than `timeoutMs`. */
function execute(args: readonly string[], timeoutMs = 30_000, env: NodeJS.ProcessEnv = {}): Promise<Output> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd: ROOT,
      env: { ...process.env, ...env },
      timeout: timeoutMs,
      maxBuffer: 64 * 1024 * 1024,
    }
    execFile('podman', args, options, (error, stdout, stderr) => {
      if (!error) return resolve({ stdout, stderr })
      const how = error.killed ? `took more than ${timeoutMs} ms` : `failed (${error.code ?? error.signal})`
      reject(new Error(`podman ${args.join(' ')} ${how}:\n${`${stdout}${stderr}`.slice(-6_000)}`))
    })
  })
}

const podman = async (args: readonly string[]): Promise<string> => (await execute(args)).stdout

/**
 * What is needed to try the stack and is not here; undefined when all is. With KLATSCH_COMPOSE=1 it has to work, and
 * images are pulled as needed; without, nobody's machine starts to download images because tests run.
 */
export async function notUsable(): Promise<string | undefined> {
  if (process.env.KLATSCH_COMPOSE === '1') return undefined
  try {
    const remote = await podman(['info', '--format', '{{.Host.ServiceIsRemote}}'])
    if (remote.trim() === 'true') return 'podman on this machine itself, not in a virtual one'
    await podman(['compose', 'version'])
  } catch {
    return 'podman with a compose provider'
  }
  for (const image of IMAGES) {
    try {
      await podman(['image', 'exists', image])
    } catch {
      return `the image ${image}, which KLATSCH_COMPOSE=1 pulls`
    }
  }
  return undefined
}

export interface Container {
  readonly id: string
  readonly service: string
  readonly running: boolean
  /** `none` without a health check. */
  readonly health: string
  readonly exitCode: number
  readonly startedAt: string
  /** The process outside. */
  readonly pid: number
  readonly restarts: number
  readonly env: readonly string[]
  /** Ports published outside, `address:port`. */
  readonly ports: readonly string[]
}

interface Inspected {
  Id: string
  State: {
    Running: boolean
    ExitCode: number
    Pid: number
    StartedAt: string
    Health?: { Status?: string }
    Healthcheck?: { Status?: string }
  }
  RestartCount: number
  Config: { Env?: string[]; Labels?: Record<string, string> }
  HostConfig: { PortBindings?: Record<string, { HostIp: string; HostPort: string }[] | null> }
}

export interface Stack {
  readonly project: string
  readonly port: number
  /** http://localhost:<port> */
  readonly url: string
  build(): Promise<void>
  /** Starts what is not running, as the user would; resolves when compose returns, which waits for who depends on whom. */
  up(): Promise<void>
  /** Starts or ends gateways until there are so many, as the user would. */
  scaleGateways(count: number): Promise<void>
  /** Tells a container to stop, as long as it takes, and starts it again. */
  restart(container: Container): Promise<void>
  containers(): Promise<readonly Container[]>
  container(service: string): Promise<Container>
  /** Resolves when every service that lasts is healthy; rejects with the logs of those that are not in time. */
  healthy(timeoutMs: number): Promise<void>
  /** Ends the service's process as a crash would: SIGKILL from outside, which restart policies see as one. */
  crash(service: string): Promise<void>
  run(service: string, command: readonly string[]): Promise<string>
  /** The end of what each container of a service told. */
  logs(service: string): Promise<string>
  /** Takes everything away, volumes too; safe to repeat. */
  down(): Promise<void>
  /** Names of what is left of the stack. */
  leftovers(): Promise<readonly string[]>
}

/** Takes down the stacks of test runs that ended before they could. */
export async function removeAbandoned(): Promise<void> {
  const format = '{{index .Labels "com.docker.compose.project"}}'
  for (const project of new Set((await podman(['ps', '-a', '--format', format])).split('\n'))) {
    const owner = new RegExp(`^${PROJECT}(\\d+)$`).exec(project)?.[1]
    if (owner !== undefined && !isAlive(Number(owner))) await (await composeStack(project)).down()
  }
}

/** A stack that is not up yet, named after this process. The port is free at the time of asking. */
export async function composeStack(project = `${PROJECT}${process.pid}`): Promise<Stack> {
  const [port = 0] = await freePorts(1)
  const env = {
    PORT: String(port),
    LISTEN: '127.0.0.1',
    ADMIN_USERNAME: '',
    LOG_LEVEL: '',
    GATEWAYS: '1',
    DRAIN_MS: '5000',
    // Tests say more than people do.
    COMMANDS_PER_SECOND: '500',
    COMMAND_BURST: '5000',
  }
  const compose = (args: readonly string[], timeoutMs: number) =>
    execute(['compose', '-p', project, '-f', FILE, ...args], timeoutMs, env)
  const ofProject = ['--filter', `label=com.docker.compose.project=${project}`]
  const names = async (what: string, format: string) =>
    (await podman([what, 'ls', '--format', format]))
      .split('\n')
      .filter((name) => name.startsWith(`${project}_`))

  async function containers(): Promise<readonly Container[]> {
    const ids = (await podman(['ps', '-aq', ...ofProject])).split('\n').filter(Boolean)
    if (ids.length === 0) return []
    const inspected = JSON.parse(await podman(['inspect', '--type', 'container', ...ids])) as Inspected[]
    return inspected.map((it) => ({
      id: it.Id,
      service: it.Config.Labels?.['com.docker.compose.service'] ?? '',
      running: it.State.Running,
      health: it.State.Health?.Status || it.State.Healthcheck?.Status || 'none',
      exitCode: it.State.ExitCode,
      startedAt: it.State.StartedAt,
      pid: it.State.Pid,
      restarts: it.RestartCount,
      env: it.Config.Env ?? [],
      ports: Object.values(it.HostConfig.PortBindings ?? {}).flatMap((bound) =>
        (bound ?? []).map((at) => `${at.HostIp}:${at.HostPort}`),
      ),
    }))
  }

  async function container(service: string): Promise<Container> {
    const found = (await containers()).find((it) => it.service === service)
    if (!found) throw new Error(`the stack ${project} has no container of ${service}`)
    return found
  }

  /** How they are, each with the end of its log. */
  async function told(some: readonly Container[]): Promise<string> {
    const each = some.map(async ({ id, service, health, exitCode }) => {
      const { stdout, stderr } = await execute(['logs', '--tail', '30', id])
      return `${service}: ${health}, exit code ${exitCode}\n${stdout}${stderr}`
    })
    return (await Promise.all(each)).join('\n')
  }

  const ills = async () => told((await containers()).filter(isIll))

  async function up(): Promise<void> {
    try {
      await compose(['up', '-d'], 300_000)
    } catch (error) {
      // Compose waits for ever for what never becomes healthy, and does not say for what.
      throw new Error(`${(error as Error).message}\n${await ills()}`)
    }
  }

  return {
    project,
    port,
    url: `http://localhost:${port}`,
    containers,
    container,
    async build() {
      await compose(['build'], 600_000)
    },
    up,
    async scaleGateways(count) {
      env.GATEWAYS = String(count)
      await up()
    },
    async restart({ id }) {
      await execute(['restart', '-t', '45', id], 60_000)
    },
    async healthy(timeoutMs) {
      const deadline = Date.now() + timeoutMs
      while ((await containers()).some(isIll)) {
        if (Date.now() > deadline) throw new Error(`not healthy after ${timeoutMs} ms: ${await ills()}`)
        await sleep(1_000)
      }
    },
    async crash(service) {
      const { pid } = await container(service)
      if (pid < 2) throw new Error(`${service} does not run`)
      process.kill(pid, 'SIGKILL')
    },
    async run(service, command) {
      return podman(['exec', (await container(service)).id, ...command])
    },
    logs: async (service) => told((await containers()).filter((it) => it.service === service)),
    async down() {
      await compose(['down', '-v', '--remove-orphans', '-t', '10'], 120_000).catch(() => undefined)
      // What compose could not take down (killed half-way through its start).
      for (const { id } of await containers()) await podman(['rm', '-f', '-v', id])
      for (const volume of await names('volume', '{{.Name}}')) await podman(['volume', 'rm', '-f', volume])
      for (const network of await names('network', '{{.Name}}'))
        await podman(['network', 'rm', '-f', network])
    },
    async leftovers() {
      const left = (await containers()).map((it) => it.service)
      return [...left, ...(await names('volume', '{{.Name}}')), ...(await names('network', '{{.Name}}'))]
    },
  }
}

const isIll = ({ health, exitCode }: Container): boolean =>
  health === 'none' ? exitCode !== 0 : health !== 'healthy'
