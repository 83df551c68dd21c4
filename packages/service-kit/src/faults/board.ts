import { randomUUID } from 'node:crypto'
import type { FaultInstance, FaultOrder, FaultRule } from '@klatsch/contracts'
import { type Clock, shiftedClock } from '../clock.ts'
import type { Closable } from '../lifecycle.ts'
import { calmPoint, type FaultPoint, type PointRules, rulesAt, type StandingRule } from './point.ts'
import { type FaultPointName, faultPoints, isFaultPoint } from './points.ts'

/** The rules that stand in this process. Each ends by itself at its time. */
export interface FaultBoard extends Closable {
  readonly service: string
  readonly instance: string
  point(name: FaultPointName): FaultPoint
  /** The time of day as this service takes it: the machine's, unless it is shifted. The rules themselves end by the machine's. */
  readonly clock: Clock
  /** Takes an order of the laboratory; one that is not for this instance, or is over already, changes nothing. */
  take(order: FaultOrder): void
  /** Ends all rules set until then, now and whenever they may still come. Answers how many stood. */
  halt(at: number): number
  readonly rules: FaultInstance['rules']
  /** Called when a rule begins to stand or is over. */
  onChange(listener: () => void): void
}

export interface FaultBoardOptions {
  readonly service: string
  /** Unique among the processes of all services; made at random when absent. */
  readonly instance?: string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Ends the process at once, as by kill -9 when absent. */
  readonly crash?: () => void
}

const killSelf = () => process.kill(process.pid, 'SIGKILL')

/** The fault points of one service, all of them quiet until an order comes. */
export function faultBoard(options: FaultBoardOptions): FaultBoard {
  const { service, now = Date.now, crash = killSelf } = options
  const instance = options.instance ?? `${service}-${randomUUID().slice(0, 8)}`
  const standing = new Map<string, StandingRule & { readonly timer: NodeJS.Timeout }>()
  const points = new Map<FaultPointName, PointRules>()
  const listeners: (() => void)[] = []
  let haltedUntil = Number.NEGATIVE_INFINITY

  for (const name of Object.keys(faultPoints).filter(isFaultPoint)) {
    if (faultPoints[name].service === service) points.set(name, rulesAt(now, crash))
  }

  function changed(): void {
    for (const [name, rules] of points) {
      rules.replace([...standing.values()].filter(({ rule }) => rule.point === name))
    }
    for (const listener of listeners) listener()
  }

  function end(ids: readonly string[]): number {
    const ending = ids.flatMap((id) => standing.get(id) ?? [])
    for (const { rule, over, timer } of ending) {
      clearTimeout(timer)
      standing.delete(rule.id)
      over.abort()
    }
    if (ending.length > 0) changed()
    return ending.length
  }

  function set(rule: FaultRule): void {
    const until = Date.parse(rule.until)
    const isMine = isFaultPoint(rule.point) && points.has(rule.point)
    const forMe = rule.who.instances?.includes(instance) ?? true
    const isOver = until <= now() || Date.parse(rule.setAt) <= haltedUntil
    if (!isMine || !forMe || isOver || standing.has(rule.id)) return
    const timer = setTimeout(() => end([rule.id]), until - now())
    timer.unref()
    standing.set(rule.id, {
      rule,
      from: Date.parse(rule.from),
      until,
      over: new AbortController(),
      random: seeded(rule.seed),
      strikes: 0,
      timer,
    })
    changed()
  }

  function point(name: FaultPointName): FaultPoint {
    const found = points.get(name)
    if (!found) throw new Error(`${name} is no fault point of ${service}`)
    return found.point
  }

  return {
    service,
    instance,
    point,
    clock: shiftedClock(now, points.get(`${service}.clock` as FaultPointName)?.point ?? calmPoint),
    take: (order) => (order.order === 'set' ? set(order.rule) : void end([order.id])),
    halt(at) {
      haltedUntil = Math.max(haltedUntil, at)
      const meant = [...standing.values()].filter(({ rule }) => Date.parse(rule.setAt) <= haltedUntil)
      return end(meant.map(({ rule }) => rule.id))
    },
    get rules() {
      return [...standing.values()].map(({ rule: { id }, strikes }) => ({ id, strikes }))
    },
    onChange: (listener) => void listeners.push(listener),
    close: () => void end([...standing.keys()]),
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
