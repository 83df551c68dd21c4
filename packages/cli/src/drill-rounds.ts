import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DrillReport, Scenario } from '@klatsch/contracts'
import {
  liveLine,
  pageOf,
  printDrill,
  resized,
  runDrill,
  scenarioOf,
  shippedScenarios,
} from '@klatsch/drills'
import { type Command, Option } from 'commander'
import { openTarget } from './drill-target.ts'
import { painter, table } from './format.ts'
import { CliError, type Terminal } from './stack.ts'
import { numberOf } from './units.ts'

/** Seeds of each drill; what kills parts has the most luck in it. */
const ROUNDS = { quick: { kill: 1, other: 1 }, full: { kill: 10, other: 3 } } as const

interface Options {
  readonly rounds: keyof typeof ROUNDS
  readonly on: string
  readonly seed?: string
  readonly seconds?: string
  readonly size?: string
  readonly reports?: string
  readonly json?: boolean
}

/** A drill that was run, or why it could not be. */
interface Row {
  readonly name: string
  readonly seed: number
  readonly report?: DrillReport
  readonly error?: string
}

export function drillRoundsCommand(program: Command, terminal: Terminal): void {
  program
    .command('drills')
    .description('rounds of drills, all of a round on one stack; ends with a table')
    .argument('[names...]', 'only these')
    .addOption(
      new Option('--rounds <which>', 'quick: one seed of each; full: three, and ten of those that kill')
        .choices(Object.keys(ROUNDS))
        .default('full'),
    )
    .option('--on <where>', 'as of drill: own, running, compose, compose:<project> or an address', 'own')
    .option('--seed <n>', 'of the first round; the next ones count on')
    .option('--seconds <n>', 'stretch or shorten each time line')
    .option('--size <n>', 'multiply people and messages, such as 0.5')
    .option('--reports <folder>', 'write a page about each')
    .addOption(new Option('--json', 'the reports as JSON'))
    .action(async (names: string[], options: Options) => {
      const rows = await runRounds(names, options, terminal)
      console.log(options.json ? JSON.stringify(rows, null, 2) : inTable(rows, terminal))
      if (rows.some(({ report }) => report?.ok !== true)) process.exitCode = 1
      if (terminal.signal.aborted) process.exitCode = 130
    })
}

async function runRounds(names: readonly string[], options: Options, terminal: Terminal): Promise<Row[]> {
  const { signal } = terminal
  const seconds = numberOf('--seconds', options.seconds)
  const size = numberOf('--size', options.size)
  const scenarios = (names.length > 0 ? names.map(scenarioOf) : shippedScenarios()).map((scenario) =>
    resized(scenario, { ...(seconds !== undefined && { seconds }), ...(size !== undefined && { size }) }),
  )
  const first = numberOf('--seed', options.seed) ?? Date.now() % 1_000_000
  const { kill, other } = ROUNDS[options.rounds]
  const roundsOf = ({ name }: Scenario) => (name.startsWith('kill') ? kill : other)
  // Elsewhere all is known before the first begins.
  if (options.on !== 'own') await openTarget(options.on, scenarios, terminal, console.error)
  const rows: Row[] = []
  if (options.reports !== undefined) mkdirSync(options.reports, { recursive: true })
  for (let round = 0; !signal.aborted; round += 1) {
    const mine = scenarios.filter((scenario) => round < roundsOf(scenario))
    if (mine.length === 0) break
    // What needs a Kafka of its own kind gets one.
    const [usual, special] = [
      mine.filter((each) => !each.kafkaDiskMb),
      mine.filter((each) => each.kafkaDiskMb),
    ]
    for (const some of [usual, ...special.map((each) => [each])]) {
      if (some.length === 0 || signal.aborted) continue
      try {
        rows.push(...(await runRound(some, first + round, options, terminal)))
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }
  return rows
}

/** All of these on one stack, one after the other. */
async function runRound(
  scenarios: readonly Scenario[],
  seed: number,
  { on, reports }: Options,
  terminal: Terminal,
): Promise<Row[]> {
  const live = liveLine(process.stderr)
  const { signal } = terminal
  const rows: Row[] = []
  const target = await openTarget(on, scenarios, terminal, live.log)
  try {
    for (const scenario of scenarios) {
      if (signal.aborted) break
      const { name } = scenario
      try {
        const report = await runDrill({ scenario, target, seed, log: live.log, onStart: live.follow, signal })
        live.log(printDrill(report))
        rows.push({ name, seed, report })
        if (reports !== undefined) writeFileSync(join(reports, `${name}-${seed}.html`), pageOf(report))
      } catch (error) {
        if (signal.aborted) break
        const { message } = error as Error
        live.log(`${name}: ${message}`)
        rows.push({ name, seed, error: message })
      }
    }
    return rows
  } finally {
    live.stop()
    await target.close(rows.some(({ report }) => report?.ok !== true) && !signal.aborted)
  }
}

function inTable(rows: readonly Row[], { env, signal }: Terminal): string {
  if (rows.length === 0)
    throw new CliError(signal.aborted ? 'interrupted; no drill was over yet.' : 'no drill was run.')
  const paint = painter(process.stdout, env)
  const cells = rows.map(({ name, seed, report, error }) => {
    const found = (what: string) => report?.found.find(({ invariant }) => invariant === what)?.count ?? 0
    const slowest = Math.max(0, ...(report?.steps ?? []).map(({ recoveredMs = 0 }) => recoveredMs))
    const verdict = report?.ok ? 'holds' : (error ?? report?.reasons.join('; ') ?? '')
    return [
      ...[name, String(seed), String(report?.sent ?? 0), String(report?.unknown ?? 0)],
      ...['lost', 'doubled', 'outOfOrder'].map((what) => String(found(what))),
      ...[`${(slowest / 1_000).toFixed(1)} s`, verdict],
    ]
  })
  const well = rows.filter(({ report }) => report?.ok).length
  return [
    ...table(
      ['drill', 'seed', 'sent', 'unknown', 'lost', 'doubled', 'out of order', 'longest recovery', 'verdict'],
      cells,
      paint,
    ),
    '',
    `${well} of ${rows.length} hold`,
  ].join('\n')
}
