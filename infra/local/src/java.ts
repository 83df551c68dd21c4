import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Problem } from './problem.ts'

export interface Java {
  readonly file: string
  readonly major: number
  /** The whole text of `java -version`: another text is another machine to a class-data archive. */
  readonly version: string
}

const OLDEST = 17
const OTHERWISE =
  'Install one (for example "apt install openjdk-17-jre-headless" or "brew install openjdk"), or set KAFKA_BROKERS to a Kafka of yours, or use "podman compose -f podman-compose.yaml up".'

/** The first Java that is new enough for Kafka: JAVA_HOME's, else the one on the path. */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Java> {
  const home = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : undefined
  const found: Java[] = []
  for (const file of [...(home && existsSync(home) ? [home] : []), 'java']) {
    const version = await versionOf(file, env)
    if (version === undefined) continue
    const java = { file, version, major: majorOf(version) }
    if (java.major >= OLDEST) return java
    found.push(java)
  }
  const [old] = found
  if (old)
    throw new Problem(
      `Kafka needs Java ${OLDEST} or newer, and ${old.file} is Java ${old.major}. ${OTHERWISE}`,
    )
  throw new Problem(`Kafka needs Java ${OLDEST} or newer, and there is none on the path. ${OTHERWISE}`)
}

async function versionOf(file: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const { stderr, stdout } = await promisify(execFile)(file, ['-version'], { env, timeout: 20_000 })
    return `${stderr}${stdout}`
  } catch {
    return undefined
  }
}

/** 17 of `openjdk version "17.0.15"`, 8 of `java version "1.8.0_412"`; 0 when there is no such text. */
export function majorOf(version: string): number {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(version) ?? []
  return Number(first === '1' ? second : first) || 0
}
