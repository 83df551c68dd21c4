import { randomInt } from 'node:crypto'
import { seededRandom } from '@klatsch/streams/simulation'
import { Problem } from '../problem.ts'
import { type NetworkFault, type NetworkOrder, type NetworkTarget, networkOrderSchema } from './fault.ts'
import type { FaultyProxy } from './proxy.ts'

/** The way from one service to one of the servers. */
export interface Route {
  readonly target: NetworkTarget
  readonly service: string
}

/** A fault that stands. Times in ISO 8601. */
export interface NetworkRule {
  readonly id: number
  readonly target: NetworkTarget
  /** Those for whom it stands still; a newer fault takes its place route by route. */
  readonly services: readonly string[]
  readonly fault: NetworkFault
  readonly seed: number
  readonly from: string
  readonly until: string
}

export interface NetworkState {
  readonly routes: readonly (Route & {
    readonly connections: number
    /** All that ever came, those that were reset at once included. */
    readonly accepted: number
    /** How many connections met each fault since the start. */
    readonly met: FaultyProxy['counts']
  })[]
  readonly rules: readonly NetworkRule[]
}

export interface NetworkRules {
  readonly state: NetworkState
  /** @throws Problem for an order that cannot be carried out. */
  set(order: NetworkOrder): NetworkRule
  /** Ends one fault, or all of them. Answers how many there were. */
  halt(id?: number): number
  close(): Promise<void>
}

type Spoilt = Route & { readonly proxy: FaultyProxy }
interface Standing {
  readonly rule: Omit<NetworkRule, 'services'>
  readonly timer: NodeJS.Timeout
}

/** The faults of the network, at most one for each route. Each ends by itself. `now`: milliseconds since the epoch. */
export function networkRules(routes: readonly Spoilt[], now: () => number): NetworkRules {
  /** By route. */
  const standing = new Map<Spoilt, Standing>()
  let lastId = 0

  const shown = ({ rule }: Standing): NetworkRule => ({
    ...rule,
    services: [...standing].filter(([, each]) => each.rule === rule).map(([{ service }]) => service),
  })

  function end(meant: (rule: Standing['rule']) => boolean): number {
    const ending = [...standing].filter(([, { rule }]) => meant(rule))
    for (const [route, { timer }] of ending) {
      clearTimeout(timer)
      standing.delete(route)
    }
    for (const [{ proxy }] of ending) proxy.set(undefined)
    return new Set(ending.map(([, { rule }]) => rule)).size
  }

  function set(order: NetworkOrder): NetworkRule {
    const parsed = networkOrderSchema.safeParse(order)
    if (!parsed.success) {
      const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
      throw new Problem(`That is no fault of the network (${wrong.join('; ')}).`)
    }
    const { target, services, fault, forMs, seed = randomInt(2 ** 32) } = parsed.data
    const chosen = chosenOf(routes, target, services)
    lastId += 1
    const from = now()
    const rule: Standing['rule'] = {
      ...{ id: lastId, target, fault, seed },
      from: new Date(from).toISOString(),
      until: new Date(from + forMs).toISOString(),
    }
    const timer = setTimeout(() => end((each) => each === rule), forMs)
    for (const route of chosen) standing.set(route, { rule, timer })
    for (const [index, { proxy }] of chosen.entries()) proxy.set(fault, seededRandom((seed + index) >>> 0))
    return shown({ rule, timer })
  }

  return {
    get state() {
      const rules = [...new Map([...standing.values()].map((each) => [each.rule, each])).values()]
      return {
        routes: routes.map(({ target, service, proxy }) => ({
          ...{ target, service },
          connections: proxy.connections,
          accepted: proxy.accepted,
          met: { ...proxy.counts },
        })),
        rules: rules.map(shown),
      }
    },
    set,
    halt(id) {
      const ended = end((rule) => id === undefined || rule.id === id)
      if (id !== undefined && ended === 0) throw new Problem(`There is no fault ${id} of the network.`)
      return ended
    },
    async close() {
      end(() => true)
      await Promise.all(routes.map(({ proxy }) => proxy.close()))
    },
  }
}

/** @throws Problem when there is no such route. */
function chosenOf(
  routes: readonly Spoilt[],
  target: NetworkTarget,
  services: readonly string[] | undefined,
): readonly Spoilt[] {
  const there = routes.filter((route) => route.target === target)
  if (there.length === 0) {
    throw new Problem(
      `The way to ${target} cannot be spoilt: it is a server of your own, or LAB_ENABLED was not true at the start.`,
    )
  }
  const strangers = (services ?? []).filter((name) => !there.some(({ service }) => service === name))
  if (strangers.length > 0) {
    const known = there.map(({ service }) => service).join(', ')
    throw new Problem(`${strangers.join(', ')} has no way to ${target}. Those who have: ${known}.`)
  }
  return there.filter(({ service }) => services?.includes(service) ?? true)
}
