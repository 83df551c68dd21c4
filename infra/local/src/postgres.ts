import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePorts } from './ports.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import { postgresUser } from './postgres-user.ts'
import {
  diskFull,
  errorCode,
  explainFileError,
  halfWritten,
  messageOf,
  Problem,
  saysDiskFull,
} from './problem.ts'
import { processesIn, signalProcess } from './processes.ts'
import { type Part, type Supervised, type SuperviseOptions, started, supervise } from './supervisor.ts'

export interface PostgresOptions {
  /** Its folder: the cluster and its password. Made when missing. */
  readonly dir: string
  /** The port on 127.0.0.1; a free one when not given. */
  readonly port?: number
  /** Each line of its log. */
  readonly onLine?: (line: string) => void
}

export interface RunningPostgres extends Supervised {
  /** For DATABASE_URL: the superuser's, in the database `postgres`. */
  readonly url: string
  readonly port: number
  /** The address of a database of that name, made when missing. */
  database(name: string): Promise<string>
}

const USER = 'klatsch'
const INIT_MS = 120_000

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  fsync: 'on',
  synchronous_commit: 'on',
  cluster_name: 'klatsch',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
}

/** Starts a Postgres of one's own and resolves when it answers; kept running until `stop`. */
export async function startPostgres(options: PostgresOptions & SuperviseOptions): Promise<RunningPostgres> {
  return started(await preparePostgres(options))
}

/** The same, but for the start. */
export async function preparePostgres(options: PostgresOptions & SuperviseOptions): Promise<RunningPostgres> {
  const { dir } = options
  const port = options.port ?? (await freePorts(1))[0]!
  const cluster = join(dir, 'cluster')
  const { postgres } = postgresBinaries()
  await mkdir(dir, { recursive: true }).catch((error: unknown) =>
    Promise.reject(explainFileError(error, dir)),
  )
  const password = await initOnce(dir, cluster)
  const user = postgresUser(cluster)
  const urlOf = (database: string) => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`

  const part: Part = {
    name: 'postgres',
    command: async () => {
      await endLeftovers(cluster)
      const flags = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
        '-c',
        `${name}=${value}`,
      ])
      return user.wrap({ file: postgres, args: ['-D', cluster, ...flags], cwd: dir, env: plainEnv() })
    },
    isReady: () => answers(urlOf('postgres')),
    // SIGINT: clients are disconnected, what runs is rolled back, and the cluster is closed in order.
    stopping: { signal: 'SIGINT', withinMs: 10_000, order: 2 },
    family: () => processesIn(cluster),
    ...(options.onLine && { onLine: options.onLine }),
  }
  return Object.assign(supervise(part, options), {
    url: urlOf('postgres'),
    port,
    database: async (name: string) => {
      await createDatabase(urlOf('postgres'), name)
      return urlOf(name)
    },
  })
}

/** Makes the cluster, once, and gives its password. An interrupted try leaves nothing that looks whole. */
async function initOnce(dir: string, cluster: string): Promise<string> {
  const passwordFile = join(dir, 'password')
  if (existsSync(cluster)) {
    if (!['PG_VERSION', 'global/pg_control'].every((name) => existsSync(join(cluster, name))))
      throw halfWritten(cluster)
    if (!existsSync(passwordFile)) throw halfWritten(dir)
    return (await readFile(passwordFile, 'utf8')).trim()
  }
  const part = `${cluster}.part`
  const password = randomBytes(24).toString('base64url')
  const user = postgresUser(part)
  try {
    await rm(part, { recursive: true, force: true })
    await mkdir(part, { mode: 0o700 })
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    if (user.owner) await chown(part, user.owner.uid, user.owner.gid)
    const { file, args, env } = user.wrap({
      file: postgresBinaries().initdb,
      args: [
        `--pgdata=${part}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // Postgres's own, which is the same on every machine, whatever locales are installed there.
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
      ],
      env: plainEnv(),
    })
    await promisify(execFile)(file, args, { env, cwd: dir, timeout: INIT_MS })
    await rename(part, cluster)
    return password
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    if (saysDiskFull(messageOf(error))) throw diskFull(dir, error)
    if (errorCode(error) === 'EACCES') throw explainFileError(error, dir)
    throw new Problem(`The database could not be made: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * A postmaster that was killed leaves children behind, and while one lives no other postmaster may start. Nor may one
 * while the process named in its lock file exists, if only as one that ended and that nobody has collected.
 */
async function endLeftovers(cluster: string): Promise<void> {
  if (process.platform !== 'linux') return
  for (const pid of processesIn(cluster)) signalProcess(pid, 'SIGKILL')
  while (processesIn(cluster).length > 0) await sleep(10)
  await rm(join(cluster, 'postmaster.pid'), { force: true })
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } finally {
    await client.end().catch(() => {})
  }
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
  })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (!rowCount) await client.query(`create database ${client.escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
}

/** What a user has set for other Postgres clients or servers stays out of this one. */
const plainEnv = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && !name.startsWith('LC_')),
  )
