import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type DemoAccount, demoAccounts } from './accounts.ts'
import { cacheFolder, ensureJars, type Progress } from './jars.ts'
import { findJava } from './java.ts'
import { prepareKafka } from './kafka.ts'
import { logFile } from './log-file.ts'
import { buildPage } from './page.ts'
import { projectRoot } from './paths.ts'
import { freePorts } from './ports.ts'
import { preparePostgres } from './postgres.ts'
import { runFileOf } from './run-file.ts'
import { runScript } from './scripts.ts'
import { servicePart } from './services.ts'
import { stackEnv } from './stack-env.ts'
import { type Supervised, supervise } from './supervisor.ts'

export interface StackOptions {
  /** The one public port. */
  readonly port: number
  /** A folder that is ours alone: of `openDataDir`, or a fresh one of a test. */
  readonly dataDir: string
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

export interface Stack {
  /** Where people click. */
  readonly url: string
  readonly brokers: string
  readonly databaseUrl: string
  /** The services on loopback. */
  readonly urls: { readonly chat: string; readonly gateway: string; readonly presence: string }
  readonly accounts: readonly DemoAccount[]
  /** Every process that is kept running, by name. */
  readonly parts: ReadonlyMap<string, Supervised>
  /** Sends a signal to a part. It comes back by itself when it ends by that. */
  kill(part: string, signal: NodeJS.Signals): void
  /** Stops everything in order: services, then Kafka and Postgres. */
  stop(): Promise<void>
}

const SCRIPT_MS = 120_000
/** In which turn the parts are stopped: the edge first, the servers last. */
const STOP_ORDER = [['gateway'], ['chat', 'presence'], ['kafka', 'postgres']]

/** Starts the whole of Klatsch on this machine and resolves when it is ready. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataDir, port, env = process.env, say = () => {}, onLine = () => {} } = options
  const logs = join(dataDir, 'logs')
  mkdirSync(logs, { recursive: true })
  const [chatPort, presencePort] = (await freePorts(2)) as [number, number]
  const url = `http://localhost:${port}`
  const urls = {
    chat: `http://127.0.0.1:${chatPort}`,
    gateway: `http://127.0.0.1:${port}`,
    presence: `http://127.0.0.1:${presencePort}`,
  }
  const admin = env.ADMIN_USERNAME || 'ada'
  const parts = new Map<string, Supervised>()
  const logFiles: { close(): void }[] = []
  const runFile = runFileOf(dataDir, { url, port, internal: urls })

  const gaveUp = new AbortController()
  const ended = AbortSignal.any([gaveUp.signal, ...(options.signal ? [options.signal] : [])])
  const watching = { say, onChange: () => runFile.write(parts) }

  function logged(name: string): (line: string) => void {
    const log = logFile(join(logs, `${name}.log`))
    logFiles.push(log)
    return log.line
  }

  async function up<P extends Supervised>(part: P): Promise<P> {
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
    return (await up(await prepareKafka({ ...files, java, libs, ...watching }))).brokers
  }

  async function database(): Promise<string> {
    if (env.DATABASE_URL) return env.DATABASE_URL
    const files = { dir: join(dataDir, 'postgres'), onLine: logged('postgres') }
    return (await up(await preparePostgres({ ...files, ...watching }))).database('klatsch')
  }

  async function service(name: string, serviceUrl: string, serviceEnv: NodeJS.ProcessEnv): Promise<void> {
    const log = logged(name)
    const part = servicePart({
      name,
      url: serviceUrl,
      env: serviceEnv,
      onLine(line) {
        log(line)
        onLine(name, line)
      },
    })
    await up(supervise(part, watching))
  }

  const script = (what: string, file: string, scriptEnv: NodeJS.ProcessEnv) =>
    runScript({ what, script: join(projectRoot, file), env: scriptEnv, withinMs: SCRIPT_MS, signal: ended })

  const environment = (servers: { brokers: string; databaseUrl: string }) =>
    stackEnv(env, {
      ...servers,
      chatPort,
      presencePort,
      port,
      pageDir: join(projectRoot, 'frontend', 'dist'),
      admin,
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
    return databaseUrl
  }

  let stopping: Promise<void> | undefined
  function stop(): Promise<void> {
    stopping ??= (async () => {
      gaveUp.abort()
      for (const names of STOP_ORDER) await Promise.all(names.map((name) => parts.get(name)?.stop()))
      for (const log of logFiles) log.close()
      runFile.remove()
    })()
    return stopping
  }

  options.signal?.addEventListener('abort', stop, { once: true })
  const servers = [kafkaWithTopics(), databaseMigrated(), buildPage(say, ended)] as const
  try {
    const [brokers, databaseUrl] = await Promise.all(servers)
    const { chat, gateway, presence } = environment({ brokers, databaseUrl })
    await service('chat', urls.chat, chat)
    const [accounts] = await Promise.all([
      demoAccounts(dataDir, urls.chat, admin),
      service('presence', urls.presence, presence),
      service('gateway', urls.gateway, gateway),
    ])
    return {
      url,
      urls,
      brokers,
      databaseUrl,
      accounts,
      parts,
      stop,
      kill(name, signal) {
        const part = parts.get(name)
        if (!part) throw new Error(`there is no part ${name}; there are ${[...parts.keys()].join(', ')}`)
        part.kill(signal)
      },
    }
  } catch (error) {
    await stop()
    await Promise.allSettled(servers)
    throw options.signal?.aborted ? options.signal.reason : error
  } finally {
    options.signal?.removeEventListener('abort', stop)
  }
}
