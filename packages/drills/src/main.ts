// npm run drill: people, load, kills, and a check of the whole history; exit code 1 when anything is wrong.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePorts, startStack } from '@klatsch/local-stack'
import { systemScheduler } from '@klatsch/streams'
import { controlsOfStack } from './controls.ts'
import { runCutDrill } from './cut-drill.ts'
import { runDeployDrill } from './deploy-drill.ts'
import { runGhostHunt } from './ghost-hunt/hunt.ts'
import { printHunt } from './ghost-hunt/print.ts'
import { runKillDrill } from './kill-drill.ts'
import { printReport } from './print.ts'
import { printDeployReport } from './print-deploy.ts'
import { seededRandom } from './random.ts'

const HELP = `Drills: people write in rooms while something happens to the stack, and nothing may be lost, doubled or out of
order; or they come and go, and nobody may be said to be here who is not. Each starts a stack of its own in a new folder, which it keeps when something is wrong.

  npm run drill                                    parts are killed with -9
  npm run drill -- deploy                          every service is replaced, and nobody may notice anything
  npm run drill -- cut                             connections are cut, silenced, delayed and narrowed all the time
  npm run drill -- ghost-hunt                      three gateways and two instances of presence are killed, frozen, shut down

kill:   --kills    parts killed with -9 in each round; kafka+postgres means both at once
        --freezes  parts that are stopped for 10 s in each round, and then go on
        --bugs     deliberate ones of chat (KLATSCH_BUGS in docs/CONFIG.md), to see what the check finds
deploy: --sockets  bare sockets that do what SPEC.md says; --clients  people at our own client, besides
        --rate     messages a second; --gateways  gateway processes
cut:    --every    milliseconds from one spoilt connection to the next
ghost-hunt: --people  on the three gateways

`
const kinds = {
  kill: {
    clients: '20',
    raw: '10',
    rooms: '20',
    messages: '10000',
    seconds: '120',
    rounds: '2',
    kills: 'chat,gateway,kafka,postgres',
    freezes: '',
    bugs: '',
  },
  cut: { clients: '20', rooms: '10', messages: '20000', seconds: '600', every: '50' },
  deploy: { sockets: '1000', clients: '20', rate: '500', rounds: '2', gateways: '2' },
  'ghost-hunt': { people: '2000' },
} as const
type Kind = keyof typeof kinds

const kind = (process.argv[2]?.startsWith('-') === false ? process.argv[2] : 'kill') as Kind
if (!Object.hasOwn(kinds, kind)) {
  console.error(`drill: there is no drill called ${kind}; there are ${Object.keys(kinds).join(', ')}`)
  process.exit(2)
}
const defaults: Readonly<Record<string, string>> = {
  ...kinds[kind],
  seed: String(systemScheduler.now() % 1_000_000),
}
const options = Object.fromEntries(
  Object.entries(defaults).map(([name, fallback]) => [name, { type: 'string' as const, default: fallback }]),
)
const values: Readonly<Record<string, unknown>> = parseArgs({
  args: process.argv.slice(2).filter((arg, index) => index > 0 || arg !== kind),
  options: { ...options, help: { type: 'boolean', default: false } },
}).values
if (values.help) {
  const shown = Object.entries(defaults).map(([name, fallback]) => `  --${name} ${fallback}`)
  console.log(`${HELP}drill ${kind}, as it is:\n${shown.join('\n')}`)
  process.exit(0)
}
const text = (name: string): string => String(values[name] ?? '')
const number = (name: string): number => Number(text(name))
const names = (list: string): string[] => list.split(',').filter((name) => name !== '')
const log = (line: string) => console.error(`drill: ${line}`)
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

const dataDir = mkdtempSync(join(tmpdir(), 'klatsch-drill-'))
const [port = 0] = await freePorts(1)
const bugs = text('bugs') === '' ? {} : { LAB_ENABLED: 'true', KLATSCH_BUGS: text('bugs') }
const env = { INTERNAL_TOKEN: randomUUID(), GUESTS_PER_MINUTE: '100000', ...process.env, ...bugs }
const stack = await startStack({
  port,
  dataDir,
  env,
  gateways: number('gateways') || 1,
  say: log,
  signal: interrupted.signal,
})
const common = {
  baseUrl: stack.urls.gateway,
  databaseUrl: stack.databaseUrl,
  clients: number('clients'),
  rounds: number('rounds'),
  seed: number('seed'),
  log,
  signal: interrupted.signal,
}

async function killDrill(): Promise<boolean> {
  const report = await runKillDrill({
    ...common,
    controls: controlsOfStack(stack),
    raw: number('raw'),
    rooms: number('rooms'),
    messages: number('messages'),
    durationMs: number('seconds') * 1_000,
    kills: names(text('kills')),
    freezes: names(text('freezes')),
  })
  console.log(printReport(report))
  const settled =
    report.settledMs === undefined ? 'never' : `after ${(report.settledMs / 1_000).toFixed(1)} s`
  console.log(`  everyone had everything ${settled} · read table differs in ${report.projectionDifferences}`)
  return report.ok
}

async function cutDrill(): Promise<boolean> {
  const report = await runCutDrill({
    ...common,
    rooms: number('rooms'),
    messages: number('messages'),
    durationMs: number('seconds') * 1_000,
    everyMs: number('every'),
  })
  console.log(printReport(report))
  const settled =
    report.settledMs === undefined ? 'never' : `after ${(report.settledMs / 1_000).toFixed(1)} s`
  console.log(`  everyone had everything ${settled} · read table differs in ${report.projectionDifferences}`)
  return report.ok
}

async function deployDrill(): Promise<boolean> {
  const report = await runDeployDrill({
    ...common,
    sockets: number('sockets'),
    rate: number('rate'),
    restart: () =>
      stack.restart([], ({ part, step, ms }) => log(`${part}: ${step} (${(ms / 1_000).toFixed(1)} s)`)),
  })
  console.log(printDeployReport(report))
  return report.ok
}

async function ghostHunt(): Promise<boolean> {
  const random = seededRandom(common.seed)
  const people = number('people')
  const report = await runGhostHunt({ stack, env, people, random, log, signal: interrupted.signal })
  console.log(printHunt(report))
  return report.ok
}

const drills: Readonly<Record<Kind, () => Promise<boolean>>> = {
  kill: killDrill,
  deploy: deployDrill,
  cut: cutDrill,
  'ghost-hunt': ghostHunt,
}
let ok = false
try {
  ok = await drills[kind]()
} finally {
  await stack.stop()
  if (ok) rmSync(dataDir, { recursive: true, force: true })
  else log(`logs and data are kept in ${dataDir}`)
}
process.exit(ok ? 0 : 1)
