import { type Attempt, dlqOf, type RetryPolicy } from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'
import { delayMs } from '../policies/backoff.ts'
import { faultOf } from '../policies/fault.ts'
import { isSwitch, type Tries, usualPolicy, verdictOf } from '../policies/policy.ts'
import { deferredRecord, originOf, tierAfter } from '../policies/tiers.ts'
import type { ConsumerOptions, DeadLetter, IncomingRecord } from '../types.ts'
import { deadLetterRecord } from './dead-letter.ts'

/** How often some records have failed, and since when. */
export interface Failed {
  readonly attempts: number
  readonly firstAt: Date
}

export type Next =
  | { readonly kind: 'again'; readonly afterMs: number }
  | { readonly kind: 'singly'; readonly failed: Failed }
  /** Given up on: each step until it succeeds, then `done`. */
  | { readonly kind: 'give-up'; readonly steps: readonly (() => Promise<void>)[]; done(): void }
  | { readonly kind: 'stop'; readonly reason: string }

/** Some records on their way through their attempts. */
export interface Trial {
  /** The number of the next attempt, from 1. */
  readonly attempt: number
  succeeded(): void
  failedWith(error: unknown): Next
}

/** What a consumer does about failures: its policy, and where records go. */
export interface Retries {
  begin(records: readonly IncomingRecord[], failed?: Failed): Trial
}

type Options = Pick<
  ConsumerOptions,
  'group' | 'policy' | 'tiers' | 'parking' | 'attempts' | 'deadLetters' | 'onDeadLetter'
>

export function retries(options: Options, scheduler: Scheduler, random: () => number): Retries {
  const { group, tiers = [], parking, deadLetters, onDeadLetter } = options
  const tierTopics = new Set(tiers.map(({ topic }) => topic))
  const policyNow = (): RetryPolicy => {
    const { policy = usualPolicy } = options
    return isSwitch(policy) ? policy.current : policy
  }

  function begin(records: readonly IncomingRecord[], failed?: Failed): Trial {
    const first = records[0]!
    let attempts = failed?.attempts ?? 0
    let firstAt = failed?.firstAt
    let tries: Tries = { own: 0, passing: 0 }
    let waitedMs = 0

    /** Fields of what is told of the records from one on. */
    const happened = (policy: RetryPolicy, from = first, count = records.length) => {
      const { topic, partition, offset, attempts: before } = originOf(from)
      const time = new Date(scheduler.now()).toISOString()
      const what = { group, topic, partition, offset, key: from.key, records: count }
      return { ...what, policy: policy.kind, attempt: before + attempts, time }
    }
    const note = (attempt: Attempt): void => options.attempts?.note(attempt)

    function giveUp(policy: RetryPolicy, error: unknown, code: string): Next {
      const origin = originOf(first)
      const letter: DeadLetter = {
        record: first,
        error,
        attempts: origin.attempts + attempts,
        firstFailedAt: origin.firstFailedAt ?? firstAt!,
      }
      const facts = happened(policy)
      if (policy.kind === 'park' && parking) {
        return {
          kind: 'give-up',
          steps: [() => parking.park(letter)],
          done: () => note({ kind: 'parked', ...facts, code }),
        }
      }
      if (!deadLetters) {
        const where = `${origin.topic}[${origin.partition}]@${origin.offset}`
        return { kind: 'stop', reason: `record ${where} failed and has nowhere to go: ${String(error)}` }
      }
      const tier = policy.kind === 'tiers' ? tierAfter(first.topic, tiers) : undefined
      if (tier) {
        return {
          kind: 'give-up',
          steps: [() => deadLetters.publish([deferredRecord(tier, letter, code)])],
          done: () => note({ kind: 'deferred', ...facts, code, to: tier.topic, delayMs: tier.delayMs }),
        }
      }
      const bury = () =>
        deadLetters.publish([deadLetterRecord(group, letter, code, new Date(scheduler.now()))])
      return {
        kind: 'give-up',
        steps: onDeadLetter ? [() => onDeadLetter(letter), bury] : [bury],
        done: () => note({ kind: 'dead-lettered', ...facts, code, to: dlqOf(origin.topic) }),
      }
    }

    return {
      get attempt() {
        return attempts + 1
      },
      succeeded() {
        // Those that were only tried beside one that fails have nothing to recover from.
        if (tries.own + tries.passing > 0) note({ kind: 'recovered', ...happened(policyNow()) })
        else if (tierTopics.has(first.topic))
          for (const record of records) note({ kind: 'recovered', ...happened(policyNow(), record, 1) })
      },
      failedWith(error) {
        const policy = policyNow()
        const { kind: fault, code } = faultOf(error)
        attempts++
        firstAt ??= new Date(scheduler.now())
        tries = { ...tries, [fault]: tries[fault] + 1 }
        const verdict = verdictOf(policy, fault, tries, records.length)
        if (verdict === 'again') {
          waitedMs = delayMs(policy.backoff, tries[fault], waitedMs, random)
          note({ kind: 'failed', ...happened(policy), fault, code, delayMs: waitedMs })
          return { kind: 'again', afterMs: waitedMs }
        }
        note({ kind: 'failed', ...happened(policy), fault, code })
        return verdict === 'singly'
          ? { kind: 'singly', failed: { attempts, firstAt } }
          : giveUp(policy, error, code)
      },
    }
  }

  return { begin }
}
