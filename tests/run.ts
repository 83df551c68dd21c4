// npm test: starts a Kafka and a Postgres for the tests, runs them all (or those named: npm test -- <vitest's arguments>),
// and ends with one line: N passed, N failed.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder, ensureJars } from '../infra/local/src/jars.ts'
import { startKafka } from '../infra/local/src/kafka.ts'
import { hold, release } from '../infra/local/src/leash.ts'
import { startPostgres } from '../infra/local/src/postgres.ts'
import { Problem } from '../infra/local/src/problem.ts'
import { signalProcess } from '../infra/local/src/processes.ts'
import { stopRequests } from '../infra/local/src/stop-requests.ts'
import type { Supervised } from '../infra/local/src/supervisor.ts'
import { summarize } from './summary.ts'

const VITEST_GRACE_MS = 10_000
const root = fileURLToPath(new URL('..', import.meta.url))
const failures = fileURLToPath(new URL('./failures.ts', import.meta.url))
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const filters = process.argv.slice(2)
const interrupted = stopRequests((sentence) => console.error(`klatsch: ${sentence}`))
// A terminal that is gone must not keep us from cleaning up.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const dir = mkdtempSync(join(tmpdir(), 'klatsch-test-'))
const servers: Supervised[] = []
try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Problem ? `klatsch: ${error.message}` : error)
  console.log('0 passed, 1 failed')
  process.exitCode = 1
} finally {
  await Promise.all(servers.map((server) => server.stop()))
  rmSync(dir, { recursive: true, force: true })
}

async function main(): Promise<number> {
  const startedAt = Date.now()
  const libs = await ensureJars(cacheFolder(join(dir, 'cache')))
  const say = (sentence: string) => console.error(`klatsch: ${sentence}`)
  const starting = [
    startKafka({ dir: join(dir, 'kafka'), libs, say }),
    startPostgres({ dir: join(dir, 'postgres'), say }),
  ] as const
  // Either may fail; the other is stopped all the same.
  for (const each of await Promise.allSettled(starting))
    if (each.status === 'fulfilled') servers.push(each.value)
  const [kafka, postgres] = await Promise.all(starting)
  if (interrupted.signal.aborted) return 130
  say(`kafka and postgres of the tests are ready after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`)

  const temporary = join(dir, 'tmp')
  mkdirSync(temporary)
  const report = join(dir, 'report.json')
  const exitCode = await runVitest(
    [
      ...['default', failures, 'json'].map((each) => `--reporter=${each}`),
      `--outputFile.json=${report}`,
      ...filters,
    ],
    {
      ...process.env,
      KAFKA_BROKERS: kafka.brokers,
      DATABASE_URL: postgres.url,
      KAFKA_LIBS: libs,
      // What an interrupted test leaves there goes with everything else.
      TMPDIR: temporary,
    },
  )
  const { line, ok } = summarize(report, { exitCode, chosen: filters.length > 0 })
  console.log(line)
  return interrupted.signal.aborted ? 130 : ok ? 0 : 1
}

/** Runs in a process group of its own, so that its workers can be ended with it. */
function runVitest(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', vitest, 'run', ...args], {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const group = -child.pid!
    if (child.pid !== undefined) hold({ pid: group, signal: 'SIGTERM', order: 0 })
    const stop = () => {
      signalProcess(group, 'SIGINT')
      setTimeout(() => signalProcess(group, 'SIGKILL'), VITEST_GRACE_MS).unref()
    }
    interrupted.signal.addEventListener('abort', stop, { once: true })
    child.once('error', reject)
    child.once('exit', (code) => {
      signalProcess(group, 'SIGKILL')
      release(group)
      resolve(code ?? 1)
    })
  })
}
