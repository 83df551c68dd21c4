import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { readFile, rename, rm, stat } from 'node:fs/promises'
import { Agent } from 'node:https'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mvnArtifactDownload from 'mvn-artifact-download'
import { diskFull, messageOf, Problem, saysDiskFull } from './problem.ts'

/** `group:artifact:version`, and what the file of that name must be. `size` in bytes. */
export interface LockedJar {
  readonly coordinates: string
  readonly sha256: string
  readonly size: number
}

export interface JarLock {
  readonly kafka: string
  readonly jars: readonly LockedJar[]
}

const lockFile = new URL('../kafka.lock.json', import.meta.url)
const PARALLEL = 8
const TRIES = 3
const DOWNLOAD_MS = 120_000

export const jarLock = (): JarLock => JSON.parse(readFileSync(lockFile, 'utf8'))

/** `kafka_2.13-4.3.1.jar` of `org.apache.kafka:kafka_2.13:4.3.1`. */
export function fileNameOf(coordinates: string): string {
  const [, artifact, version] = coordinates.split(':')
  return `${artifact}-${version}.jar`
}

/** The paths of all jars in `folder`, in the order of the lock file. */
export const classPath = (folder: string): string[] =>
  jarLock().jars.map((jar) => join(folder, fileNameOf(jar.coordinates)))

/**
 * Where downloads are kept between clones: the user's cache folder, else (no home, or one that cannot be written)
 * `fallback`.
 */
export function cacheFolder(fallback: string, env: NodeJS.ProcessEnv = process.env): string {
  const wanted = join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'klatsch')
  for (const folder of [wanted, fallback]) {
    try {
      mkdirSync(folder, { recursive: true })
      accessSync(folder, constants.W_OK | constants.X_OK)
      return folder
    } catch (error) {
      if (saysDiskFull(messageOf(error))) throw diskFull(folder, error)
    }
  }
  throw new Problem(`Neither ${wanted} nor ${fallback} can be written. Name a folder with XDG_CACHE_HOME.`)
}

export interface Progress {
  readonly done: number
  readonly of: number
  /** Bytes. */
  readonly doneBytes: number
  readonly ofBytes: number
}

/**
 * Makes sure that every jar of the lock file is in `<cache>/kafka-<version>` with the content it should have, and
 * gives that folder. What is missing or broken is downloaded from Maven Central.
 */
export async function ensureJars(
  cache: string,
  onProgress: (progress: Progress) => void = () => {},
): Promise<string> {
  const { kafka, jars } = jarLock()
  const folder = join(cache, `kafka-${kafka}`)
  mkdirSync(folder, { recursive: true })
  const good = await Promise.all(jars.map((jar) => isGood(join(folder, fileNameOf(jar.coordinates)), jar)))
  const missing = jars.filter((_, index) => !good[index])
  if (missing.length === 0) return folder

  const ofBytes = missing.reduce((sum, jar) => sum + jar.size, 0)
  let done = 0
  let doneBytes = 0
  onProgress({ done, of: missing.length, doneBytes, ofBytes })
  const queue = [...missing]
  const agent = new Agent({ keepAlive: true, proxyEnv: process.env })
  async function worker() {
    for (let jar = queue.shift(); jar; jar = queue.shift()) {
      await download(jar, folder, agent)
      done += 1
      doneBytes += jar.size
      onProgress({ done, of: missing.length, doneBytes, ofBytes })
    }
  }
  try {
    await Promise.all(Array.from({ length: PARALLEL }, worker))
  } finally {
    queue.length = 0
    agent.destroy()
  }
  return folder
}

async function download(jar: LockedJar, folder: string, agent: Agent): Promise<void> {
  const name = fileNameOf(jar.coordinates)
  const part = `${name}.${process.pid}.part`
  let reason = ''
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const deadline = new AbortController()
    try {
      await Promise.race([
        mvnArtifactDownload.default(jar.coordinates, folder, undefined, part, {
          agent,
          timeout: DOWNLOAD_MS,
        }),
        // The library does not notice a body that breaks off.
        sleep(DOWNLOAD_MS, undefined, { signal: deadline.signal }).then(() =>
          Promise.reject(new Error('no answer in time')),
        ),
      ])
      if (await isGood(join(folder, part), jar)) {
        await rename(join(folder, part), join(folder, name))
        return
      }
      reason = 'what came is not the file that the lock file names (wrong size or sha256)'
    } catch (error) {
      if (saysDiskFull(messageOf(error))) throw diskFull(folder, error)
      reason = messageOf(error)
    } finally {
      deadline.abort()
      await rm(join(folder, part), { force: true })
    }
    if (attempt < TRIES) await sleep(500 * attempt)
  }
  throw new Problem(
    `${name}, a part of Kafka, could not be downloaded from Maven Central: ${reason}. ` +
      'Nothing broken was kept: check the network and start again, or set KAFKA_BROKERS to a Kafka of yours.',
  )
}

/** Whether the file is there, whole and unchanged; one that is not is removed. */
async function isGood(path: string, jar: LockedJar): Promise<boolean> {
  if (!existsSync(path)) return false
  if ((await stat(path)).size === jar.size && (await sha256Of(path)) === jar.sha256) return true
  await rm(path, { force: true })
  return false
}

const sha256Of = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
