import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { classArchive } from './class-archive.ts'
import { cacheFolder, classPath, ensureJars } from './jars.ts'
import { findJava, type Java } from './java.ts'
import { type Listener, log4j, serverProperties } from './kafka-config.ts'
import { answersMetadata } from './kafka-probe.ts'
import { freePorts } from './ports.ts'
import { diskFull, explainFileError, halfWritten, messageOf, Problem, saysDiskFull } from './problem.ts'
import { type Disk, smallDisk } from './small-disk.ts'
import { type Part, type Supervised, type SuperviseOptions, started, supervise } from './supervisor.ts'

export interface KafkaOptions {
  /** Its folder: data, configuration, log. Made when missing. */
  readonly dir: string
  /** The port on 127.0.0.1; a free one when not given. */
  readonly port?: number
  /** More ports, for those who call it through a proxy. */
  readonly listeners?: readonly Listener[]
  /** Megabytes of a disk of its own, which can be filled, and is gone when it is stopped. On the machine's when absent. */
  readonly diskMb?: number
  /** Its log; by default `kafka.log` in `dir`. */
  readonly logFile?: string
  /** The folder of the verified jars (`ensureJars`); by default KAFKA_LIBS, else the cache is filled as needed. */
  readonly libs?: string
  readonly java?: Java
}

export interface RunningKafka extends Supervised {
  /** For KAFKA_BROKERS. */
  readonly brokers: string
  readonly port: number
  readonly libs: string
  /** With `diskMb`. */
  readonly disk: Disk | undefined
}

const HEAP_MB = 384
const FORMAT_MS = 120_000
// Relative to the folder it runs in: in a whole path, a comma, a colon or a percent sign would have a meaning.
const DATA = 'data'
const DISK = 'disk'
const CONFIG = 'server.properties'
const LOG4J = 'log4j2.json'

/** Starts an Apache Kafka of one's own and resolves when it answers; kept running until `stop`. */
export async function startKafka(options: KafkaOptions & SuperviseOptions): Promise<RunningKafka> {
  return started(await prepareKafka(options))
}

/** The same, but for the start. */
export async function prepareKafka(options: KafkaOptions & SuperviseOptions): Promise<RunningKafka> {
  const libs =
    options.libs ?? process.env.KAFKA_LIBS ?? (await ensureJars(cacheFolder(join(options.dir, 'cache'))))
  const java = options.java ?? (await findJava())
  const [controllerPort, freePort] = await freePorts(2)
  const port = options.port ?? freePort!
  const { dir, logFile = join(dir, 'kafka.log'), listeners = [] } = options
  const small = options.diskMb !== undefined
  const settings = { dir, port, controllerPort: controllerPort!, listeners, libs, java, logFile, small }
  const plain = await kafkaPart(settings)
  if (options.diskMb === undefined) return running(supervise(plain, options), settings, undefined)
  const disk = await smallDisk({ dir, name: DISK, from: DATA, megabytes: options.diskMb })
  const part: Part = {
    ...plain,
    command: async () => disk.wrap({ ...(await plain.command()), cwd: dir }),
  }
  const supervised = supervise(part, options)
  const { stop } = supervised
  supervised.stop = async (how) => {
    await stop(how)
    disk.close()
  }
  return running(supervised, settings, disk)
}

interface KafkaSettings {
  readonly dir: string
  readonly port: number
  readonly controllerPort: number
  readonly listeners: readonly Listener[]
  readonly libs: string
  readonly java: Java
  readonly logFile: string
  /** On a disk of its own. */
  readonly small: boolean
}

const running = (
  supervised: Supervised,
  { port, libs }: KafkaSettings,
  disk: Disk | undefined,
): RunningKafka => Object.assign(supervised, { brokers: `127.0.0.1:${port}`, port, libs, disk })

async function kafkaPart(settings: KafkaSettings): Promise<Part> {
  const { dir, port, libs, java, logFile } = settings
  const classes = classPath(libs).join(delimiter)
  const archive = classArchive(libs, java)

  await mkdir(dir, { recursive: true }).catch((error: unknown) =>
    Promise.reject(explainFileError(error, dir)),
  )
  await writeFile(
    join(dir, CONFIG),
    serverProperties({
      port,
      controllerPort: settings.controllerPort,
      listeners: settings.listeners,
      dataDir: settings.small ? `${DISK}/${DATA}` : DATA,
    }),
  )
  await writeFile(join(dir, LOG4J), log4j(relative(dir, logFile)))
  await formatOnce({ dir, java, classes })

  return {
    name: 'kafka',
    command: async () => ({
      file: java.file,
      args: [
        `-Xms${HEAP_MB}m`,
        `-Xmx${HEAP_MB}m`,
        '-XX:+UseG1GC',
        '-XX:MaxGCPauseMillis=20',
        // Most of these brokers live for minutes: without the second compiler one takes some 7 s of processor less in
        // its first minute, and lets as many messages through (npm run bench -- --quick durable).
        '-XX:TieredStopAtLevel=1',
        '-XX:+ExitOnOutOfMemoryError',
        ...archive.options(),
        '-Djava.awt.headless=true',
        `-Dlog4j2.configurationFile=${LOG4J}`,
        '-cp',
        classes,
        'kafka.Kafka',
        CONFIG,
      ],
      cwd: dir,
      env: javaEnv(),
    }),
    isReady: (signal) => answersMetadata(port, signal),
    stopping: { signal: 'SIGTERM', withinMs: 15_000, order: 2 },
    onEnd: async (code) => {
      await archive.keep(code)
      return complaints(logFile)
    },
  }
}

/** Gives the data folder its identity, once. A format that was interrupted leaves nothing that looks whole. */
async function formatOnce({ dir, java, classes }: { dir: string; java: Java; classes: string }) {
  const data = join(dir, DATA)
  if (existsSync(data)) {
    if (existsSync(join(data, 'meta.properties'))) return
    throw halfWritten(data)
  }
  const part = `${DATA}.part`
  const config = `${CONFIG}.part`
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', `-Dlog4j2.configurationFile=${LOG4J}`]
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', config]
  try {
    await rm(join(dir, part), { recursive: true, force: true })
    await writeFile(join(dir, config), serverProperties({ port: 1, controllerPort: 2, dataDir: part }))
    const options = { cwd: dir, env: javaEnv(), timeout: FORMAT_MS }
    await promisify(execFile)(java.file, [...quick, '-cp', classes, ...format], options)
    await rename(join(dir, part), data)
  } catch (error) {
    await rm(join(dir, part), { recursive: true, force: true })
    if (saysDiskFull(messageOf(error))) throw diskFull(data, error)
    throw new Problem(`Kafka's data folder could not be made: ${messageOf(error)}`, { cause: error })
  } finally {
    await rm(join(dir, config), { force: true })
  }
}

/** A Kafka uuid; a hyphen in front would be taken for an option. */
function clusterId(): string {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? clusterId() : id
}

/** Options that a user's environment holds for other Java programs stay out of this one. */
const javaEnv = (): NodeJS.ProcessEnv => ({
  ...process.env,
  JAVA_TOOL_OPTIONS: undefined,
  JDK_JAVA_OPTIONS: undefined,
  _JAVA_OPTIONS: undefined,
})

/** The last lines of this run's log that complain. */
async function complaints(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, 'utf8')).split('\n')
  return lines
    .filter((line) => / (ERROR|FATAL) |Exception|No space left/.test(line))
    .slice(-8)
    .join('\n')
}
