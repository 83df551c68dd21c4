import { KlatschError } from '@klatsch/contracts'

/**
 * `open`: nothing is let through before `until`. `trying`: one call is under way, to see; should its answer not come,
 * another one is let through after `until`. `waitMs`: how long it was open last. Times in milliseconds.
 */
export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly until: number; readonly waitMs: number }
  | { readonly kind: 'trying'; readonly until: number; readonly waitMs: number }

export interface BreakerSettings {
  /** Failures one after the other that open it. */
  readonly failures: number
  /** How long it stays open at first; twice as long after each trial that fails, up to `capMs`; less up to half, by chance. */
  readonly baseMs: number
  readonly capMs: number
  /** How long a trial may take. */
  readonly trialMs: number
}

const usual: BreakerSettings = { failures: 5, baseMs: 250, capMs: 2_000, trialMs: 6_000 }

export const closedBreaker: BreakerState = { kind: 'closed', failures: 0 }

/** Whether a call may go through now: the state from then on, or how long to wait. */
export function admit(
  state: BreakerState,
  now: number,
  settings: BreakerSettings,
): { readonly state: BreakerState } | { readonly retryAfterMs: number } {
  if (state.kind === 'closed') return { state }
  if (now < state.until) return { retryAfterMs: state.until - now }
  return { state: { kind: 'trying', until: now + settings.trialMs, waitMs: state.waitMs } }
}

/** The state after a call failed. `chance`: from 0 to 1. What began before it opened changes nothing more. */
export function afterFailure(
  state: BreakerState,
  now: number,
  chance: number,
  settings: BreakerSettings,
): BreakerState {
  const opened = (waitMs: number): BreakerState => ({
    kind: 'open',
    until: now + Math.round(waitMs * (1 - chance / 2)),
    waitMs,
  })
  switch (state.kind) {
    case 'open':
      return state
    case 'trying':
      return opened(Math.min(settings.capMs, state.waitMs * 2))
    case 'closed':
      return state.failures + 1 < settings.failures
        ? { kind: 'closed', failures: state.failures + 1 }
        : opened(settings.baseMs)
  }
}

/**
 * Stands before something that may be away, so that those who ask hear at once that it is, and it is not run down
 * when it comes back.
 */
export interface Breaker {
  readonly state: BreakerState
  /** Runs `work`, or rejects with `server.unavailable` and `retryAfterMs`. Each rejection of `work` counts as a failure. */
  run<T>(work: () => Promise<T>): Promise<T>
}

export function circuitBreaker(
  what: string,
  options: {
    readonly now: () => number
    readonly random: () => number
    readonly settings?: BreakerSettings
    /** Hears when it opens, with the last failure, and when it closes again; not of trials. */
    readonly moved?: (away: boolean, why?: unknown) => void
  },
): Breaker {
  const { now, random, settings = usual, moved = () => {} } = options
  let state = closedBreaker
  return {
    get state() {
      return state
    },
    async run(work) {
      const entry = admit(state, now(), settings)
      if ('retryAfterMs' in entry) {
        const { retryAfterMs } = entry
        throw new KlatschError('server.unavailable', `${what} is away`, { retryAfterMs })
      }
      state = entry.state
      try {
        const result = await work()
        if (state.kind !== 'closed') moved(false)
        state = closedBreaker
        return result
      } catch (error) {
        const before = state
        state = afterFailure(before, now(), random(), settings)
        if (before.kind === 'closed' && state.kind === 'open') moved(true, error)
        throw error
      }
    },
  }
}
