// npm run drill: people, load, kills, and a check of the whole history; exit code 1 when anything is wrong.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePorts, startStack } from '@klatsch/local-stack'
import { systemScheduler } from '@klatsch/streams'
import { controlsOfStack } from './controls.ts'
import { runKillDrill } from './kill-drill.ts'
import { printReport } from './print.ts'

const HELP = `The kill drill: people write in rooms while parts of the stack are killed, and nothing may be lost,
doubled or out of order. It starts a stack of its own in a new folder, which it keeps when something is wrong.

  npm run drill -- --seed 7 --rounds 2 --seconds 120

--kills    parts killed with -9 in each round; kafka+postgres means both at once
--freezes  parts that are stopped for 10 s in each round, and then go on
--bugs     deliberate ones (dedupe-off, offset-before-commit), to see what the check finds

`
const flags = {
  clients: { type: 'string', default: '20' },
  raw: { type: 'string', default: '10' },
  rooms: { type: 'string', default: '20' },
  messages: { type: 'string', default: '10000' },
  seconds: { type: 'string', default: '120' },
  rounds: { type: 'string', default: '2' },
  kills: { type: 'string', default: 'chat,gateway,kafka,postgres' },
  freezes: { type: 'string', default: '' },
  bugs: { type: 'string', default: '' },
  seed: { type: 'string', default: String(systemScheduler.now() % 1_000_000) },
  help: { type: 'boolean', default: false },
} as const

const { values } = parseArgs({ options: flags })
if (values.help) {
  console.log(
    HELP +
      Object.entries(flags)
        .map(([name, { default: value }]) => `  --${name} ${value}`)
        .join('\n'),
  )
  process.exit(0)
}
const names = (list: string): string[] => list.split(',').filter((name) => name !== '')
const log = (line: string) => console.error(`drill: ${line}`)
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

const dataDir = mkdtempSync(join(tmpdir(), 'klatsch-drill-'))
const [port = 0] = await freePorts(1)
const bugs = values.bugs === '' ? {} : { LAB_ENABLED: 'true', KLATSCH_BUGS: values.bugs }
const env = { ...process.env, ...bugs }
const stack = await startStack({ port, dataDir, env, say: log, signal: interrupted.signal })
let ok = false
try {
  const report = await runKillDrill({
    baseUrl: stack.urls.gateway,
    databaseUrl: stack.databaseUrl,
    controls: controlsOfStack(stack),
    clients: Number(values.clients),
    raw: Number(values.raw),
    rooms: Number(values.rooms),
    messages: Number(values.messages),
    durationMs: Number(values.seconds) * 1_000,
    rounds: Number(values.rounds),
    kills: names(values.kills),
    freezes: names(values.freezes),
    seed: Number(values.seed),
    log,
    signal: interrupted.signal,
  })
  console.log(printReport(report))
  const settled =
    report.settledMs === undefined ? 'never' : `after ${(report.settledMs / 1_000).toFixed(1)} s`
  console.log(`  everyone had everything ${settled} · read table differs in ${report.projectionDifferences}`)
  ok = report.ok
} finally {
  await stack.stop()
  if (ok) rmSync(dataDir, { recursive: true, force: true })
  else log(`logs and data are kept in ${dataDir}`)
}
process.exit(ok ? 0 : 1)
