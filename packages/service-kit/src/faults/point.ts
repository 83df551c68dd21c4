import { type FaultEffect, type FaultRule, KlatschError } from '@klatsch/contracts'

/** Whom a hit would meet, as far as it is known where the point sits. */
export interface FaultTarget {
  /** `room:<id>`, or the stream of a user. */
  readonly room?: string | undefined
  /** `user:<id>`: who did it. */
  readonly person?: string | undefined
  readonly session?: string | undefined
}

/** A rule that stands in this process. */
export interface StandingRule {
  readonly rule: FaultRule
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly until: number
  /** Aborted when the rule is over, by time or by order: whoever waits goes on. */
  readonly over: AbortController
  readonly random: () => number
  /** How often it struck. */
  strikes: number
}

/** What happens to one thing at one point: the effects of all rules that struck, put together. */
export interface Verdict {
  readonly error: KlatschError | undefined
  readonly drop: boolean
  readonly copies: number
  /** Resolves when it may go on; undefined: at once. */
  readonly wait: (() => Promise<void>) | undefined
  /** Nobody waits for it: others pass it by. */
  readonly loose: boolean
}

/** A place in the code where faults can be brought about. `armed` is all that is looked at while there is no rule. */
export interface FaultPoint {
  readonly armed: boolean
  /** Draws, for one thing, what happens to it; undefined: nothing. A crash ends the process here. */
  judge(target: FaultTarget): Verdict | undefined
  /** Lets what strikes any of these happen: waits for the longest, then throws the first error. */
  strike(targets: readonly FaultTarget[]): Promise<void>
  /** By how many milliseconds the clock is wrong. */
  shiftMs(): number
}

/** A point where nothing ever happens, for what is built without a laboratory. */
export const calmPoint: FaultPoint = {
  armed: false,
  judge: () => undefined,
  strike: async () => {},
  shiftMs: () => 0,
}

export interface PointRules {
  readonly point: FaultPoint
  /** The rules of this point, in the order in which they were set. */
  replace(rules: readonly StandingRule[]): void
}

/** `crash` ends the process. `now`: milliseconds since the epoch. */
export function rulesAt(now: () => number, crash: () => void): PointRules {
  let rules: readonly StandingRule[] = []
  const point = {
    armed: false,
    judge(target: FaultTarget): Verdict | undefined {
      const struck = rules.filter((standing) => strikes(standing, target, now()))
      if (struck.some(({ rule }) => rule.effect.kind === 'crash')) crash()
      return struck.length === 0 ? undefined : verdictOf(struck)
    },
    async strike(targets: readonly FaultTarget[]): Promise<void> {
      const verdicts = targets.flatMap((target) => point.judge(target) ?? [])
      await Promise.all(verdicts.map(({ wait }) => wait?.()))
      const failed = verdicts.find(({ error }) => error)
      if (failed?.error) throw failed.error
    },
    shiftMs(): number {
      const at = now()
      return rules.reduce((sum, standing) => sum + shiftOf(standing, at), 0)
    },
  }
  return {
    point,
    replace(next) {
      rules = next
      point.armed = rules.length > 0
    },
  }
}

/** It stands for all of its time and counts as one strike, however often the clock is read. */
function shiftOf(standing: StandingRule, at: number): number {
  const { rule, from, until } = standing
  if (rule.effect.kind !== 'shift' || at < from || at >= until) return 0
  standing.strikes = 1
  return rule.effect.ms
}

/** Whether it strikes now; counts it, and takes its number from the rule's seed. */
function strikes(standing: StandingRule, target: FaultTarget, now: number): boolean {
  const { rule, from, until } = standing
  const { rooms, people, sessions } = rule.who
  if (now < from || now >= until || standing.over.signal.aborted) return false
  if (rooms && (target.room === undefined || !rooms.includes(target.room))) return false
  if (people && (target.person === undefined || !people.includes(target.person))) return false
  if (sessions && (target.session === undefined || !sessions.includes(target.session))) return false
  if (rule.first !== undefined && standing.strikes >= rule.first) return false
  if (standing.random() * 100 >= rule.percent) return false
  standing.strikes += 1
  return true
}

function verdictOf(struck: readonly StandingRule[]): Verdict {
  const effects = struck.map(({ rule }) => rule.effect)
  const has = (kind: FaultEffect['kind']) => effects.some((effect) => effect.kind === kind)
  const error = effects.find((effect) => effect.kind === 'error')
  const waits = struck.flatMap((standing) => {
    const ms = waitOf(standing)
    return ms === undefined ? [] : [() => patience(ms, standing.over.signal)]
  })
  return {
    error: error && new KlatschError(error.code, 'a fault of the laboratory'),
    drop: has('drop'),
    copies: effects.reduce((sum, effect) => sum + (effect.kind === 'duplicate' ? effect.times : 0), 0),
    wait: waits.length === 0 ? undefined : () => Promise.all(waits.map((wait) => wait())).then(() => {}),
    loose: has('reorder'),
  }
}

function waitOf({ rule: { effect }, random }: StandingRule): number | undefined {
  switch (effect.kind) {
    case 'delay':
      return effect.ms + random() * effect.jitterMs
    case 'reorder':
      return random() * effect.withinMs
    case 'hang':
      return Number.POSITIVE_INFINITY
    case 'error':
    case 'drop':
    case 'duplicate':
    case 'crash':
    case 'shift':
      return undefined
  }
}

/** Waits so long, and no longer than the rule stands. */
function patience(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (over.aborted) return resolve()
    const timer = Number.isFinite(ms) ? setTimeout(done, ms) : undefined
    function done(): void {
      clearTimeout(timer)
      over.removeEventListener('abort', done)
      resolve()
    }
    over.addEventListener('abort', done)
  })
}
