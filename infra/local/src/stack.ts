import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type DemoAccount, demoAccounts } from './accounts.ts'
import { controlServer } from './control.ts'
import { cacheFolder, ensureJars, type Progress } from './jars.ts'
import { findJava } from './java.ts'
import { prepareKafka } from './kafka.ts'
import { logFile } from './log-file.ts'
import { type Network, planNetwork } from './network/network.ts'
import { buildPage } from './page.ts'
import { projectRoot } from './paths.ts'
import { canSharePorts, freePorts } from './ports.ts'
import { preparePostgres } from './postgres.ts'
import { type Replaceable, replaceable } from './replaceable.ts'
import { type RestartStep, restartInTurn } from './restart.ts'
import { runFileOf } from './run-file.ts'
import { runScript } from './scripts.ts'
import { servicePart } from './services.ts'
import { type Signals, signalsTo } from './signals.ts'
import type { Disk } from './small-disk.ts'
import { stackEnv } from './stack-env.ts'
import { inStopOrder } from './stop-order.ts'
import { type Supervised, supervise } from './supervisor.ts'

export interface StackOptions {
  /** The one public port. */
  readonly port: number
  /** A folder that is ours alone: of `openDataDir`, or a fresh one of a test. */
  readonly dataDir: string
  /** Gateway processes that share it; one where the system cannot share a port. 1 when absent. */
  readonly gateways?: number
  /** Megabytes of a disk of Kafka's own, for drills that fill it; what is on it is gone when the stack stops. */
  readonly kafkaDiskMb?: number
  /** What the services get, and where KAFKA_BROKERS and DATABASE_URL name servers to be used instead of our own. */
  readonly env?: NodeJS.ProcessEnv
  /** What the person at the terminal should know. */
  readonly say?: (sentence: string) => void
  /** Each line that a part writes; the log files in the data folder have them, too. */
  readonly onLine?: (part: string, line: string) => void
  readonly onProgress?: (progress: Progress) => void
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal
}

export interface Stack extends Signals {
  /** Where people click. */
  readonly url: string
  readonly brokers: string
  readonly databaseUrl: string
  /** The services on loopback. */
  readonly urls: Readonly<Record<'chat' | 'gateway' | 'presence' | 'lab', string>>
  readonly accounts: readonly DemoAccount[]
  /** Every process that is kept running, by name. */
  readonly parts: ReadonlyMap<string, Supervised>
  /** The ways from the services to Kafka and Postgres. Without the laboratory they cannot be spoilt. */
  readonly network: Network
  /** Kafka's, with `kafkaDiskMb`. */
  readonly disk: Disk | undefined
  /** Replaces services one after the other, each by a successor that is ready before it ends; all when none is named. */
  restart(named: readonly string[], onStep?: (step: RestartStep) => void): Promise<void>
  /** Stops everything in order: services, then Kafka and Postgres. */
  stop(): Promise<void>
}

const SCRIPT_MS = 120_000
/** What a retiring process may take besides its drain, which may take twice its time: the services' own limit, and a little more. */
const RETIRE_MS = 45_000
/** As in the gateway's own settings. */
const DRAIN_MS = 15_000

/** A stack of one's own is there to be taken apart. */
const labIsOn = (env: NodeJS.ProcessEnv): boolean => (env.LAB_ENABLED || 'true') === 'true'

/** Starts the whole of Klatsch on this machine and resolves when it is ready. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataDir, port, env = process.env, say = () => {} } = options
  const share = await canSharePorts()
  const gateways = share ? (options.gateways ?? 1) : 1
  if (gateways !== (options.gateways ?? 1))
    say('This system cannot share a port between processes, so one gateway runs instead of several.')
  const logs = join(dataDir, 'logs')
  mkdirSync(logs, { recursive: true })
  const [chatPort, presencePort, labPort] = (await freePorts(3)) as [number, number, number]
  const url = `http://localhost:${port}`
  const urls = {
    chat: `http://127.0.0.1:${chatPort}`,
    gateway: `http://127.0.0.1:${port}`,
    presence: `http://127.0.0.1:${presencePort}`,
    lab: `http://127.0.0.1:${labPort}`,
  }
  const admin = env.ADMIN_USERNAME || 'ada'
  const parts = new Map<string, Supervised>()
  const services = new Map<string, Replaceable>()
  const logFiles: { close(): void }[] = []
  const runFile = runFileOf(dataDir, { url, port, internal: urls })

  const plan = await planNetwork([
    ...(labIsOn(env) && !env.KAFKA_BROKERS ? (['kafka'] as const) : []),
    ...(labIsOn(env) && !env.DATABASE_URL ? (['postgres'] as const) : []),
  ])
  const signals = signalsTo(parts)
  let disk: Disk | undefined
  const drainMs = Number(env.DRAIN_MS) || DRAIN_MS

  const gaveUp = new AbortController()
  const ended = AbortSignal.any([gaveUp.signal, ...(options.signal ? [options.signal] : [])])
  const watching = { say, onChange: () => runFile.write(parts) }

  function logged(name: string): (line: string) => void {
    const log = logFile(join(logs, `${name}.log`))
    logFiles.push(log)
    return log.line
  }

  async function up<P extends Supervised>(part: P): Promise<P> {
    // What was prepared may have something to give back.
    if (ended.aborted) await part.stop()
    ended.throwIfAborted()
    parts.set(part.name, part)
    await part.start()
    return part
  }

  async function kafka(): Promise<string> {
    if (env.KAFKA_BROKERS) return env.KAFKA_BROKERS
    const java = await findJava(env)
    const libs = await ensureJars(cacheFolder(join(dataDir, 'cache'), env), options.onProgress)
    const files = { dir: join(dataDir, 'kafka'), logFile: join(logs, 'kafka.log') }
    const { listeners } = plan
    const { kafkaDiskMb: diskMb } = options
    const size = diskMb === undefined ? {} : { diskMb }
    const broker = await up(await prepareKafka({ ...files, java, libs, listeners, ...size, ...watching }))
    disk = broker.disk
    return broker.brokers
  }

  async function database(): Promise<string> {
    if (env.DATABASE_URL) return env.DATABASE_URL
    const port = plan.postgres === undefined ? {} : { port: plan.postgres }
    const files = { dir: join(dataDir, 'postgres'), onLine: logged('postgres'), ...port }
    return (await up(await preparePostgres({ ...files, ...watching }))).database('klatsch')
  }

  async function service(name: string, serviceEnv: NodeJS.ProcessEnv, which = name): Promise<void> {
    const log = logged(name)
    const onLine = (line: string) => {
      log(line)
      options.onLine?.(name, line)
    }
    const part = replaceable(
      () => supervise(servicePart({ name, service: which, env: serviceEnv, onLine }), watching),
      { retirement: { signal: 'SIGTERM', withinMs: 2 * drainMs + RETIRE_MS }, besides: share },
    )
    services.set(name, part)
    await up(part)
  }

  const script = (what: string, file: string, scriptEnv: NodeJS.ProcessEnv) =>
    runScript({ what, script: join(projectRoot, file), env: scriptEnv, withinMs: SCRIPT_MS, signal: ended })

  const environment = (servers: { brokers: string; databaseUrl: string }) =>
    stackEnv(env, {
      ...servers,
      chatPort,
      presencePort,
      labPort,
      port,
      pageDir: join(projectRoot, 'frontend', 'dist'),
      drills: {
        DRILL_MAIN: join(projectRoot, 'packages', 'cli', 'src', 'main.ts'),
        DRILL_DATA_DIR: dataDir,
      },
      admin,
      share,
      via: plan.via,
    })

  async function kafkaWithTopics(): Promise<string> {
    const brokers = await kafka()
    runFile.brokers(brokers)
    const { kafka: scriptEnv } = environment({ brokers, databaseUrl: '' })
    await script(
      `The topics could not be made on the Kafka at ${brokers}`,
      'packages/event-bus/src/create-topics.ts',
      scriptEnv,
    )
    return brokers
  }

  async function databaseMigrated(): Promise<string> {
    const databaseUrl = await database()
    runFile.database(databaseUrl)
    const { database: scriptEnv } = environment({ brokers: '', databaseUrl })
    await script(
      `The database at ${new URL(databaseUrl).host} could not be migrated`,
      'services/chat/src/migrate.ts',
      scriptEnv,
    )
    if (labIsOn(env)) {
      await script('The schema of the laboratory could not be made', 'services/lab/src/migrate.ts', scriptEnv)
    }
    return databaseUrl
  }

  const restart: Stack['restart'] = (named, onStep = () => {}) => restartInTurn(services, named, onStep)
  const network = await plan.start()
  let control: Awaited<ReturnType<typeof controlServer>> | undefined
  let stopping: Promise<void> | undefined
  function stop(): Promise<void> {
    stopping ??= (async () => {
      gaveUp.abort()
      control?.close()
      signals.close()
      // What ends has things to say to the servers.
      await network.halt().catch(() => {})
      for (const group of inStopOrder(parts.values())) await Promise.all(group.map((part) => part.stop()))
      await network.close()
      for (const log of logFiles) log.close()
      runFile.remove()
    })()
    return stopping
  }

  options.signal?.addEventListener('abort', stop, { once: true })
  const servers = [kafkaWithTopics(), databaseMigrated(), buildPage(say, ended)] as const
  try {
    const [brokers, databaseUrl] = await Promise.all(servers)
    const { chat, gateway, presence, lab } = environment({ brokers, databaseUrl })
    await service('chat', chat)
    const edge = ['gateway', ...Array.from({ length: gateways - 1 }, (_, i) => `gateway-${i + 2}`)]
    const [accounts] = await Promise.all([
      demoAccounts(dataDir, urls.chat, admin),
      service('presence', presence),
      ...(labIsOn(env) ? [service('lab', lab)] : []),
      ...edge.map((name) => service(name, gateway, 'gateway')),
    ])
    control = await controlServer(restart, {
      'network/set': ({ target, fault, ...how }) => network.set(target, fault, how),
      'network/state': () => network.state(),
      'network/halt': ({ rule }) => network.halt(rule),
      'parts/kill': ({ part }) => signals.kill(part, 'SIGKILL') ?? null,
      'parts/freeze': ({ part, forMs }) => signals.freeze(part, forMs) ?? null,
      'parts/wake': ({ part }) => signals.wake(part) ?? null,
    })
    runFile.control({ url: control.url, token: control.token })
    runFile.write(parts)
    return {
      url,
      urls,
      brokers,
      databaseUrl,
      accounts,
      parts,
      network,
      disk,
      kill: signals.kill,
      freeze: signals.freeze,
      wake: signals.wake,
      restart,
      stop,
    }
  } catch (error) {
    await stop()
    await Promise.allSettled(servers)
    throw options.signal?.aborted ? options.signal.reason : error
  } finally {
    options.signal?.removeEventListener('abort', stop)
  }
}
