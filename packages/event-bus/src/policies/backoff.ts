import type { Backoff } from '@klatsch/contracts'

/**
 * Milliseconds to wait before the next attempt. `attempt`: how many have failed, from 1. `previousMs`: the wait before
 * this one, 0 before the first.
 */
export function delayMs(backoff: Backoff, attempt: number, previousMs: number, random: () => number): number {
  switch (backoff.kind) {
    case 'fixed':
      return backoff.ms
    case 'exponential':
      return ceiling(backoff, attempt)
    case 'full-jitter':
      return Math.round(random() * ceiling(backoff, attempt))
    case 'decorrelated-jitter': {
      const { baseMs, capMs } = backoff
      const top = Math.max(baseMs, previousMs) * 3
      return Math.min(capMs, Math.round(baseMs + random() * (top - baseMs)))
    }
  }
}

const ceiling = ({ baseMs, capMs }: { baseMs: number; capMs: number }, attempt: number): number =>
  Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30))
