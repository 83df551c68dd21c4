import type { DrillStep, Scenario } from '@klatsch/contracts'
import { DrillError, type Target } from './target.ts'

/** What a drill can need of what it is run against, besides people who can get in; in words. */
export const needs = {
  controls: 'parts to kill and freeze',
  restart: 'services to replace',
  instances: 'further instances of services',
  gateways: 'further gateways, each with an address',
  lab: 'the laboratory',
  log: 'a Kafka whose log can be reached',
  network: 'proxies before Kafka and Postgres',
  disk: "a small disk of Kafka's own",
} as const
export type Need = keyof typeof needs

const ofSteps: Readonly<Record<DrillStep['do'], Need | undefined>> = {
  kill: 'controls',
  freeze: 'controls',
  restart: 'restart',
  launch: 'instances',
  stop: 'instances',
  fault: 'lab',
  network: 'network',
  'fill-disk': 'disk',
  repeat: 'log',
  // Calls off what others set; without any it does nothing.
  halt: undefined,
  redrive: 'lab',
  race: 'lab',
  narrow: undefined,
  cut: undefined,
}

const met: Readonly<Record<Need, (target: Target) => boolean>> = {
  controls: ({ controls }) => controls !== undefined,
  restart: ({ restart }) => restart !== undefined,
  instances: ({ launch }) => launch !== undefined,
  gateways: ({ launch, without }) => launch !== undefined && without?.gateways === undefined,
  lab: ({ lab }) => lab !== undefined,
  log: ({ brokers }) => brokers !== undefined,
  network: ({ network }) => network !== undefined,
  disk: ({ disk }) => disk !== undefined,
}

/** What a drill needs, in the order of `needs`. */
export function needsOf({ steps, instances, load }: Scenario): Need[] {
  const wanted = new Set<Need | undefined>(steps.map((step) => ofSteps[step.do]))
  const launched = [...instances, ...steps.filter((step) => step.do === 'launch')]
  if (launched.length > 0) wanted.add('instances')
  // People who only are there go to each gateway by its own address.
  if (load.audience > 0 && launched.some(({ service }) => service === 'gateway')) wanted.add('gateways')
  // What is done to launched instances alone is done by whoever launched them.
  if (struckIn({ steps, instances }).length === 0) wanted.delete('controls')
  return (Object.keys(needs) as Need[]).filter((need) => wanted.has(need))
}

/** Why this drill cannot be run there, reason by reason; nothing when it can. */
export function obstacles(target: Target, scenario: Scenario): string[] {
  const unmet = needsOf(scenario).filter((need) => !met[need](target))
  const reasons = unmet.map(
    (need) => `it needs ${needs[need]}: ${target.without?.[need] ?? 'there are none'}`,
  )
  const { parts } = target
  if (unmet.includes('controls') || parts === undefined) return reasons
  const replaced = scenario.steps.flatMap((step) => (step.do === 'restart' ? step.parts : []))
  const missing = [...new Set([...struckIn(scenario), ...replaced])].filter((part) => !parts.includes(part))
  if (missing.length > 0) reasons.push(`there is no ${missing.join(', no ')} there, but ${parts.join(', ')}`)
  return reasons
}

/** What to do instead. */
export const OWN = 'Nothing was done; a stack of its own can do it all: leave --on out.'

/** In one line, which is all that some show. */
export const inSentence = (
  { name: there }: Pick<Target, 'name'>,
  { name }: Pick<Scenario, 'name'>,
  reasons: readonly string[],
): string => `${name} cannot be run against ${there}: ${reasons.join('; ')}.`

/** @throws DrillError with everything that this target cannot do */
export function requireAble(target: Target, scenario: Scenario): void {
  const reasons = obstacles(target, scenario)
  if (reasons.length === 0) return
  throw new DrillError(`${inSentence(target, scenario, reasons)} ${OWN}`)
}

/** Parts of the stack itself that are killed and frozen. */
function struckIn({ steps, instances }: Pick<Scenario, 'steps' | 'instances'>): string[] {
  const launched = new Set(instances.map(({ name }) => name))
  for (const step of steps) if (step.do === 'launch') launched.add(step.name)
  const named = steps.flatMap((step) => {
    if (step.do === 'kill') return step.parts
    return step.do === 'freeze' ? [step.part] : []
  })
  return [...new Set(named)].filter((part) => !launched.has(part))
}
