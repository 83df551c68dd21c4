import type { Scenario } from '@klatsch/contracts'
import {
  addressOf,
  inSentence,
  type Need,
  needs,
  needsOf,
  type OpenTarget,
  OWN,
  obstacles,
  ownStack,
  runningStack,
} from '@klatsch/drills'
import { composeTarget, projectOf } from './compose-target.ts'
import { statusOf, tokenAt } from './laboratory.ts'
import { CliError, dataDirOf, type Terminal } from './stack.ts'

const NOT_FOUND = 404

/** What each place has of what drills need. */
const has: Readonly<Record<string, readonly Need[]>> = {
  own: Object.keys(needs) as Need[],
  running: ['controls', 'restart', 'lab', 'log', 'network'],
  compose: ['controls', 'restart', 'instances', 'lab'],
  address: ['lab'],
}

/** Where a drill can be run. */
export function placesOf(scenario: Scenario): string[] {
  const wanted = needsOf(scenario)
  return Object.keys(has).filter((place) => wanted.every((need) => has[place]!.includes(need)))
}

/**
 * Where drills are run: `own`, `running`, `compose`, `compose:<project>`, or an address. Before anything is done it is known whether all
 * of these drills can be run there. @throws CliError that says what cannot be done there
 */
export async function openTarget(
  on: string,
  scenarios: readonly Scenario[],
  { env, signal }: Terminal,
  log: (line: string) => void,
): Promise<OpenTarget> {
  const bugs = [...new Set(scenarios.flatMap((scenario) => scenario.bugs))]
  if (on === 'own') {
    const gateways = Math.max(...scenarios.map((scenario) => scenario.gateways))
    const { kafkaDiskMb } = scenarios[0]!
    return ownStack({ bugs, gateways, kafkaDiskMb, env, log, signal })
  }
  if (bugs.length > 0)
    throw new CliError('bugs are put into a stack of its own alone: leave --on out, or --bugs.')
  const wantsLab = scenarios.some((scenario) =>
    needsOf(scenario).some((need) => need === 'lab' || need === 'network'),
  )
  const token = (base: string) => (wantsLab ? tokenAt(base, env, signal) : undefined)
  const opened = await open(on, token, { env, signal })
  const target = wantsLab ? withLab(opened, await statusOf(`${opened.baseUrl}/api/lab/faults`)) : opened
  const unable = scenarios
    .map((scenario) => ({ scenario, reasons: obstacles(target, scenario) }))
    .filter(({ reasons }) => reasons.length > 0)
  if (unable.length === 0) return target
  const lines = unable.map(({ scenario, reasons }) => inSentence(target, scenario, reasons))
  const able = scenarios.filter((each) => !unable.some(({ scenario }) => scenario === each))
  const others = able.map(({ name }) => name).join(' ')
  if (others === '') throw new CliError(`${lines.join('\n')} ${OWN}`)
  throw new CliError([...lines, `Nothing was done. These can be run there: ${others}`].join('\n'))
}

/** As it is, or without what only the laboratory can do, when that is off. */
function withLab(target: OpenTarget, status: number | undefined): OpenTarget {
  // Who does not say who they are is refused where there is one.
  if (status !== NOT_FOUND) return target
  const { lab, network: _, ...others } = target
  const off = 'the services were started without LAB_ENABLED=true'
  const { without } = target
  return {
    ...others,
    without: { ...without, lab: lab ? off : (without?.lab ?? off), network: without?.network ?? off },
  }
}

async function open(
  on: string,
  token: (base: string) => Promise<string | undefined> | undefined,
  { env, signal }: Terminal,
): Promise<OpenTarget> {
  if (on === 'running') return runningStack(dataDirOf(env))
  const project = projectOf(on)
  if (project !== undefined) return composeTarget(project, token, signal)
  if (/^https?:/.test(on) && URL.canParse(on)) return addressOf(on, await token(on))
  throw new CliError(
    `--on "${on}" is not understood. Say own, running, compose, compose:<project>, or an address such as http://localhost:8080.`,
  )
}
