import {
  type FaultEffect,
  faultKinds,
  type LabFault,
  type LabFaults,
  labFaultSchema,
  labFaultsSchema,
  labHaltSchema,
} from '@klatsch/contracts'
import { type Painter, table } from './format.ts'
import type { Laboratory } from './laboratory.ts'
import type { Said } from './look.ts'
import { CliError } from './stack.ts'
import { durationOf, numberOf } from './units.ts'

export async function faultsNow(lab: Laboratory, paint: Painter): Promise<Said> {
  const found = await lab.get('/faults', {}, labFaultsSchema)
  return { lines: [...pointLines(found, paint), '', ...ruleLines(found.rules, paint)], json: found }
}

function pointLines({ points }: LabFaults, paint: Painter): string[] {
  return points.flatMap(({ name, where, effects, scopes }) => [
    `${paint('cyan', name)}  ${where}`,
    paint('dim', `    ${effects.join(', ')}${scopes.length > 0 ? `; narrowed by ${scopes.join(', ')}` : ''}`),
  ])
}

function ruleLines(rules: readonly LabFault[], paint: Painter): string[] {
  if (rules.length === 0) return ['No faults.']
  const rows = rules.map((fault) => [
    fault.rule.id,
    fault.state,
    fault.rule.point,
    effectInWords(fault.rule.effect),
    narrowed(fault),
    `${fault.active.length} of ${fault.of}`,
    String(fault.active.reduce((sum, { strikes }) => sum + strikes, 0)),
    fault.rule.until,
  ])
  return table(['id', 'state', 'point', 'what', 'for', 'active in', 'struck', 'until'], rows, paint)
}

function effectInWords(effect: FaultEffect): string {
  switch (effect.kind) {
    case 'error':
      return `error ${effect.code}`
    case 'delay':
      return `delay ${effect.ms} ms${effect.jitterMs > 0 ? ` and up to ${effect.jitterMs} more` : ''}`
    case 'duplicate':
      return effect.times === 1 ? 'duplicate' : `duplicate ${effect.times} times`
    case 'reorder':
      return `reorder within ${effect.withinMs} ms`
    case 'shift':
      return `the clock ${effect.ms < 0 ? `${-effect.ms} ms behind` : `${effect.ms} ms ahead`}`
    case 'drop':
    case 'crash':
    case 'hang':
      return effect.kind
  }
}

function narrowed({ rule: { who, percent, first } }: LabFault): string {
  const named = [
    ...(who.rooms ?? []),
    ...(who.people ?? []),
    ...(who.sessions ?? []),
    ...(who.instances ?? []),
  ]
  const often = percent === 100 ? [] : [`${percent} %`]
  const times = first === undefined ? [] : [`the first ${first}`]
  return [named.length === 0 ? 'everyone' : named.join(' '), ...often, ...times].join(', ')
}

/** As commander gives the options of `faults set`. */
export interface SetOptions {
  readonly for: string
  readonly after?: string
  readonly room?: string[]
  readonly person?: string[]
  readonly session?: string[]
  readonly instance?: string[]
  readonly percent?: string
  readonly first?: string
  readonly seed?: string
  readonly code?: string
  readonly ms?: string
  readonly jitter?: string
  readonly times?: string
  readonly within?: string
  readonly survivesRestart?: boolean
  readonly note?: string
}

/** The order as the API takes it, which judges all that is not said here. @throws CliError */
export function orderOf(point: string, kind: string, options: SetOptions): object {
  const effect = effectOf(kind, options)
  const { room, person, session, instance, survivesRestart, note } = options
  const who = given({ rooms: room, people: person, sessions: session, instances: instance })
  return given({
    point,
    effect,
    who,
    percent: numberOf('--percent', options.percent),
    first: numberOf('--first', options.first),
    seed: numberOf('--seed', options.seed),
    survivesRestart,
    note,
    afterMs: options.after === undefined ? undefined : durationOf('--after', options.after),
    forMs: durationOf('--for', options.for),
  })
}

function effectOf(kind: string, options: SetOptions): object {
  if (!faultKinds.some((known) => known === kind)) {
    throw new CliError(`"${kind}" is no fault. There are: ${faultKinds.join(', ')}.`)
  }
  const { code } = options
  return given({
    kind,
    code,
    ms: numberOf('--ms', options.ms),
    jitterMs: numberOf('--jitter', options.jitter),
    times: numberOf('--times', options.times),
    withinMs: numberOf('--within', options.within),
  })
}

const given = (fields: Record<string, unknown>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** `ok` is false when not every instance has it. */
export async function setFault(lab: Laboratory, order: object, paint: Painter): Promise<Said> {
  const fault = await lab.post('/faults', order, labFaultSchema)
  const slowest = Math.max(0, ...fault.active.map(({ afterMs }) => afterMs))
  const all = fault.active.length === fault.of && fault.of > 0
  const active = `active in ${fault.active.length} of ${fault.of}${fault.active.length > 0 ? ` after ${slowest} ms` : ''}`
  return {
    lines: [
      `${paint('cyan', fault.rule.id)}  ${paint(all ? 'green' : 'red', active)}`,
      `${fault.rule.point}: ${effectInWords(fault.rule.effect)}, for ${narrowed(fault)}, until ${fault.rule.until}, seed ${fault.rule.seed}`,
    ],
    json: fault,
    ok: all,
  }
}

/** `network`: how many faults of the network of the local stack were called off before; undefined: there is no such stack. */
export async function haltFaults(
  lab: Laboratory,
  id: string | undefined,
  network: number | undefined,
  paint: Painter,
): Promise<Said> {
  if (id !== undefined) {
    const fault = await lab.remove(`/faults/${encodeURIComponent(id)}`, labFaultSchema)
    return { lines: [`${fault.rule.id} is ${fault.state}.`], json: fault }
  }
  const halt = await lab.post('/faults/halt', {}, labHaltSchema)
  const rows = halt.instances.map(({ url, ok, afterMs, error }) => [
    url,
    paint(ok ? 'green' : 'red', ok ? 'halted' : (error ?? 'failed')),
    `${afterMs} ms`,
  ])
  return {
    lines: [
      `${halt.rules} faults called off.`,
      ...(network ? [`${network} faults of the network called off.`] : []),
      ...table(['instance', 'answer', 'after'], rows, paint),
    ],
    json: network === undefined ? halt : { ...halt, network },
  }
}
