// npm run bench [-- figure …]: measures each figure beside its floor, prints a table, writes .results/bench.json.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Row } from './figure.ts'
import { compression } from './figures/compression.ts'
import { crowd } from './figures/crowd.ts'
import { deliver } from './figures/deliver.ts'
import { durable } from './figures/durable.ts'
import { faults } from './figures/faults.ts'
import { idle } from './figures/idle.ts'
import { latency } from './figures/latency.ts'
import { resume } from './figures/resume.ts'
import { slow } from './figures/slow.ts'
import { start } from './figures/start.ts'
import { storm } from './figures/storm.ts'
import { stopAll } from './processes.ts'
import { machine, table } from './report.ts'
import { type Stack, startStack } from './stack.ts'

const figures = [latency, durable, deliver, idle, crowd, storm, slow, resume, compression, faults, start]
const results = fileURLToPath(new URL('../../.results', import.meta.url))
const help = `npm run bench [-- [--profile] [--quick] figure …]

Measures Klatsch beside the least that the same work costs, in turns, on a Kafka and a Postgres of its own,
prints a table and writes .results/bench.json. Without names, all figures; about half an hour.

${figures.map(({ name, describe }) => `  ${name.padEnd(13)}${describe}`).join('\n')}

  --profile   writes CPU profiles of gateway and chat to .results/profiles
  --quick     fewer rounds of crowd, storm, slow and resume, and shorter ones
  --help      this
`

let values: { help?: boolean | undefined; profile?: boolean | undefined; quick?: boolean | undefined }
let positionals: string[]
try {
  ;({ values, positionals } = parseArgs({
    options: { help: { type: 'boolean' }, profile: { type: 'boolean' }, quick: { type: 'boolean' } },
    allowPositionals: true,
  }))
} catch (error) {
  console.error(`bench: ${(error as Error).message}`)
  process.exit(2)
}
if (values.help) {
  console.log(help)
  process.exit(0)
}
const unknown = positionals.filter((name) => !figures.some((figure) => figure.name === name))
if (unknown.length > 0) {
  console.error(
    `bench: no figure is called ${unknown.join(', ')}; there are ${figures.map((figure) => figure.name).join(', ')}`,
  )
  process.exit(2)
}
const chosen = figures.filter(({ name }) => positionals.length === 0 || positionals.includes(name))

const say = (sentence: string) => console.error(`bench: ${sentence}`)
const dir = mkdtempSync(join(tmpdir(), 'klatsch-bench-'))
let stack: Promise<Stack> | undefined
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(130))

async function end(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  await stopAll()
  await (await stack?.catch(() => undefined))?.close()
  rmSync(dir, { recursive: true, force: true })
  process.exit(code)
}

const profileDir = values.profile ? join(results, 'profiles') : undefined
mkdirSync(profileDir ?? results, { recursive: true })
const context = {
  dir,
  profileDir,
  quick: values.quick === true,
  say,
  stack() {
    stack ??= startStack(join(dir, 'stack'), say)
    return stack
  },
}

const measured: { figure: string; seconds: number; rows: Row[] }[] = []
let failed = false
for (const figure of chosen) {
  if (stopping) break
  say(`${figure.name}: ${figure.describe}`)
  const begin = performance.now()
  try {
    const rows = await figure.measure(context)
    measured.push({ figure: figure.name, seconds: Math.round((performance.now() - begin) / 1_000), rows })
    console.log(`\n${table(rows)}\n`)
  } catch (error) {
    if (stopping) break
    failed = true
    console.error(`bench: ${figure.name} failed:`, error)
    await stopAll()
  }
}
if (!stopping && measured.length > 0) {
  const report = { at: new Date().toISOString(), machine: machine(), figures: measured }
  writeFileSync(join(results, 'bench.json'), `${JSON.stringify(report, null, 2)}\n`)
  if (measured.length > 1) console.log(`\n${table(measured.flatMap(({ rows }) => rows))}\n`)
  say('written to .results/bench.json')
}
await end(failed ? 1 : 0)
