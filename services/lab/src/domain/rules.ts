import type { FaultInstance, FaultPointInfo, FaultRule, LabFault, NewFault } from '@klatsch/contracts'

/** A rule, and what became of it. Milliseconds since the epoch. */
export interface OrderedRule {
  readonly rule: FaultRule
  haltedAt: number | undefined
  /** When each instance first said that it stands there. */
  readonly heardAt: Map<string, number>
}

/** What is wrong with an order, in words; undefined: nothing. */
export function objection(order: NewFault, point: FaultPointInfo | undefined): string | undefined {
  if (!point) return `point: there is no fault point ${order.point}`
  const { effect, who } = order
  if (!point.effects.includes(effect.kind)) {
    return `effect: at ${point.name} there can be ${point.effects.join(', ')}, and no ${effect.kind}`
  }
  for (const scope of ['rooms', 'people', 'sessions'] as const) {
    if (who[scope] !== undefined && !point.scopes.includes(scope)) {
      const known = point.scopes.length === 0 ? 'nobody in particular' : point.scopes.join(' and ')
      return `who: ${point.name} knows ${known}, and no ${scope}`
    }
  }
  return undefined
}

export function ruleOf(
  order: NewFault,
  made: { readonly id: string; readonly seed: number; readonly now: number; readonly by: string },
): FaultRule {
  const { afterMs, forMs, seed = made.seed, ...what } = order
  const time = (ms: number) => new Date(made.now + ms).toISOString()
  return {
    ...what,
    id: made.id,
    seed,
    from: time(afterMs),
    until: time(afterMs + forMs),
    setAt: time(0),
    setBy: made.by,
  }
}

/** The instances that a rule is meant for. */
export function meant(rule: FaultRule, service: string, live: readonly FaultInstance[]): FaultInstance[] {
  const { instances } = rule.who
  return live.filter((each) => each.service === service && (instances?.includes(each.instance) ?? true))
}

export const isOver = ({ rule, haltedAt }: OrderedRule, now: number): boolean =>
  haltedAt !== undefined || Date.parse(rule.until) <= now

export function standing(
  ordered: OrderedRule,
  service: string,
  live: readonly FaultInstance[],
  now: number,
): LabFault {
  const { rule, haltedAt, heardAt } = ordered
  const wanted = meant(rule, service, live)
  const active = wanted.flatMap(({ instance, service, rules }) => {
    const own = rules.find(({ id }) => id === rule.id)
    const heard = heardAt.get(instance)
    if (!own || heard === undefined) return []
    return [{ instance, service, afterMs: heard - Date.parse(rule.setAt), strikes: own.strikes }]
  })
  return {
    rule,
    state: stateOf(ordered, now),
    of: wanted.length,
    active: haltedAt === undefined ? active : [],
  }
}

function stateOf(ordered: OrderedRule, now: number): LabFault['state'] {
  if (ordered.haltedAt !== undefined) return 'halted'
  if (isOver(ordered, now)) return 'over'
  return Date.parse(ordered.rule.from) > now ? 'waiting' : 'active'
}
