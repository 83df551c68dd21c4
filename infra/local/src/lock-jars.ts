// Writes kafka.lock.json: every jar that a Kafka broker of that version needs, with its sha256.
// Asks Maven which those are: node infra/run.mjs infra/local/src/lock-jars.ts <Kafka's version> <its log4j's version>
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mvnArtifactDownload from 'mvn-artifact-download'
import type { JarLock, LockedJar } from './jars.ts'

const [version, log4j] = process.argv.slice(2)
if (!version || !log4j) {
  console.error(
    'usage: lock-jars.ts <version of org.apache.kafka:kafka_2.13> <version of log4j that it brings>',
  )
  process.exit(2)
}

// The broker logs through slf4j, and its own dependencies bring no binding of that to log4j.
const wanted = [
  `org.apache.kafka:kafka_2.13:${version}`,
  `org.apache.logging.log4j:log4j-slf4j-impl:${log4j}`,
]
const dependency = (coordinates: string) => {
  const [group, artifact, version] = coordinates.split(':')
  return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
}

const dir = mkdtempSync(join(tmpdir(), 'klatsch-jars-'))
try {
  writeFileSync(
    join(dir, 'pom.xml'),
    `<project><modelVersion>4.0.0</modelVersion><groupId>klatsch</groupId><artifactId>kafka</artifactId><version>1</version>
      <dependencies>${wanted.map(dependency).join('')}</dependencies></project>`,
  )
  execFileSync('mvn', ['-q', '-B', 'dependency:list', '-DincludeScope=runtime', '-DoutputFile=jars.txt'], {
    cwd: dir,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const coordinates = [
    ...readFileSync(join(dir, 'jars.txt'), 'utf8').matchAll(/([^\s:]+):([^\s:]+):jar:([^\s:]+):/g),
  ]
    .map(([, group, artifact, version]) => `${group}:${artifact}:${version}`)
    .sort()
  const jars: LockedJar[] = []
  for (const each of coordinates) {
    const bytes = readFileSync(await mvnArtifactDownload.default(each, dir))
    jars.push({
      coordinates: each,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      size: bytes.length,
    })
    console.log(each)
  }
  const lock: JarLock = { kafka: version, jars }
  writeFileSync(new URL('../kafka.lock.json', import.meta.url), `${JSON.stringify(lock, null, 2)}\n`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
