import { writeFileSync } from 'node:fs'
import { type Bug, type DrillReport, knownBugs, type Scenario } from '@klatsch/contracts'
import {
  DrillError,
  liveLine,
  needs,
  needsOf,
  pageOf,
  printDrill,
  resized,
  runDrill,
  scenarioOf,
  shippedScenarios,
} from '@klatsch/drills'
import { Problem } from '@klatsch/local-stack'
import { type Command, Option } from 'commander'
import { openTarget, placesOf } from './drill-target.ts'
import { painter } from './format.ts'
import { CliError, type Terminal } from './stack.ts'
import { numberOf } from './units.ts'

/** As commander gives them. */
interface DrillOptions {
  readonly seed?: string
  readonly on: string
  readonly bugs?: string
  readonly seconds?: string
  readonly size?: string
  readonly report?: string
  readonly json?: boolean
  readonly list?: boolean
}

const LINE = 100

const EXAMPLES = `
  klatsch drill --list
  klatsch drill kill-chat --seed 7 --report kill-chat.html
  klatsch drill kill-chat --bugs sweep-off           to see the check find something
  klatsch drill my-own.json --on running             against what "npm start" runs
  klatsch drill kill-kafka --on compose              against the containers of the project klatsch, by podman

A drill is a file (packages/drills/scenarios has those that come with Klatsch): who talks, what is done to the stack when, and what must
hold all the same. The same seed does the same things at the same times. Exit codes: 0 it holds, 1 it does not or
cannot be run there, 130 interrupted.`

export function drillCommand(program: Command, terminal: Terminal): void {
  program
    .command('drill')
    .description('people talk while things go wrong on purpose; then the whole history is checked')
    .argument('[name]', 'one of --list, or a scenario of your own (a .json file)')
    .option('--list', 'show the drills there are')
    .option('--seed <n>', 'what chance decides by; another one each time when left out')
    .option(
      '--on <where>',
      'own: a stack for this drill alone; running: what "npm start" runs; compose, or compose:<project>: containers; or an address',
      'own',
    )
    .option('--bugs <names>', 'put deliberate bugs into the services of its own stack, separated by commas')
    .option('--seconds <n>', 'stretch or shorten its time line')
    .option('--size <n>', 'multiply its people and messages, such as 0.5')
    .option('--report <file>', 'write a page about it that can be sent to someone')
    .addOption(new Option('--json', 'the report as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, options: DrillOptions) => {
      if (options.list || name === undefined) console.log(listDrills(options.json, terminal))
      else if (!(await drill(name, options, terminal))) process.exitCode = 1
    })
}

/** The drills there are, each with what it shows, for people or as JSON. */
function listDrills(json: boolean | undefined, { env }: Terminal): string {
  const scenarios = shippedScenarios()
  if (json)
    return JSON.stringify(
      scenarios.map((scenario) => ({ scenario, needs: needsOf(scenario), on: placesOf(scenario) })),
      null,
      2,
    )
  const paint = painter(process.stdout, env)
  const width = Math.max(...scenarios.map(({ name }) => name.length)) + 2
  return scenarios
    .flatMap((scenario) => [
      `${paint('cyan', scenario.name.padEnd(width))}${paint('bold', scenario.title)}`,
      ...wrapped(scenario.shows, LINE - width).map((line) => `${' '.repeat(width)}${line}`),
      ...wrapped(whereOf(scenario), LINE - width).map((line) => `${' '.repeat(width)}${paint('dim', line)}`),
    ])
    .join('\n')
}

/** What it needs, and where there is that. */
function whereOf(scenario: Scenario): string {
  const wanted = needsOf(scenario).map((need) => needs[need])
  const places = `--on ${placesOf(scenario).join(', ')}`
  return wanted.length === 0 ? places : `needs ${wanted.join('; ')}: ${places}`
}

/** In lines of so many characters at most. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/** Runs one drill and says what came of it; answers whether all that was promised held. */
async function drill(name: string, options: DrillOptions, terminal: Terminal): Promise<boolean> {
  const scenario = wanted(name, options)
  const live = liveLine(process.stderr)
  try {
    const target = await openTarget(options.on, [scenario], terminal, live.log)
    let report: DrillReport | undefined
    try {
      report = await runDrill({
        ...{ scenario, target, log: live.log, signal: terminal.signal },
        seed: numberOf('--seed', options.seed),
        onStart: live.follow,
      })
    } finally {
      live.stop()
      await target.close(report?.ok !== true && !terminal.signal.aborted)
    }
    if (options.report !== undefined) writeFileSync(options.report, pageOf(report))
    console.log(options.json ? JSON.stringify(report, null, 2) : printDrill(report))
    return report.ok
  } catch (error) {
    if (terminal.signal.aborted) throw new CliError('interrupted; nothing that was done to the stack stays.')
    if (error instanceof DrillError || error instanceof Problem)
      throw new CliError(error.message, { cause: error })
    throw error
  } finally {
    live.stop()
  }
}

function wanted(name: string, options: DrillOptions): Scenario {
  const seconds = numberOf('--seconds', options.seconds)
  const size = numberOf('--size', options.size)
  const scenario = resized(scenarioOf(name), {
    ...(seconds !== undefined && { seconds }),
    ...(size !== undefined && { size }),
  })
  return options.bugs === undefined ? scenario : { ...scenario, bugs: options.bugs.split(',').map(bugOf) }
}

function bugOf(name: string): Bug {
  if (Object.hasOwn(knownBugs, name)) return name as Bug
  throw new CliError(`there is no bug "${name}". There are: ${Object.keys(knownBugs).join(', ')}.`)
}
