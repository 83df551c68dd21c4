import { KlatschError, type RetryPolicy, type RetryPolicyKind } from '@klatsch/contracts'
import type { Fault } from './fault.ts'

/** What a consumer does that declares nothing else. */
export const usualPolicy: RetryPolicy = {
  kind: 'block',
  backoff: { kind: 'full-jitter', baseMs: 50, capMs: 5_000 },
  ownAttempts: 1,
}

/** How often records that are tried together have failed, by kind of fault. */
export interface Tries {
  readonly own: number
  readonly passing: number
}

/**
 * What follows a failed attempt. `again`: the same records, after a wait. `singly`: each record by itself, to find the
 * one. `give-up`: with the one record, as the policy says.
 */
export type Verdict = 'again' | 'singly' | 'give-up'

/** `tries`: of these records together, the one that just failed included. */
export function verdictOf(policy: RetryPolicy, fault: Fault['kind'], tries: Tries, records: number): Verdict {
  const limit = limitOf(policy, fault)
  if (records > 1) return limit === 'forever' ? 'again' : 'singly'
  return limit === 'forever' || tries[fault] < limit ? 'again' : 'give-up'
}

function limitOf(policy: RetryPolicy, fault: Fault['kind']): number | 'forever' {
  if (fault === 'own') return policy.ownAttempts
  return policy.kind === 'block' ? 'forever' : policy.passingAttempts
}

/** The policy of a consumer that may be given another one while it runs. */
export interface PolicySwitch {
  readonly current: RetryPolicy
  readonly allowed: readonly RetryPolicyKind[]
  /** Counts from the next failure on. Throws `request.invalid` for a kind that is not allowed. */
  set(policy: RetryPolicy): void
}

export function policySwitch(initial: RetryPolicy, allowed: readonly RetryPolicyKind[]): PolicySwitch {
  let current = initial
  const made: PolicySwitch = {
    get current() {
      return current
    },
    allowed,
    set(policy) {
      if (!allowed.includes(policy.kind))
        throw new KlatschError(
          'request.invalid',
          `this consumer may ${allowed.join(', ')}, not ${policy.kind}`,
        )
      current = policy
    },
  }
  made.set(initial)
  return made
}

export const isSwitch = (policy: RetryPolicy | PolicySwitch): policy is PolicySwitch => 'current' in policy
