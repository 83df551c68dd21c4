import type { DrillQuantiles, DrillReport } from '@klatsch/contracts'

/** An answer that takes longer is one that somebody waits for. */
const SLOW_MS = 1_000

/** When every message of a drill was said, answered and seen. Times in milliseconds since the load began. */
export interface Watch {
  said(command: string): void
  answered(command: string): void
  /** By one who sees it for the first time. */
  seen(command: string): void
  /** From now on time is counted; what was before does not count. */
  begin(): void
  readonly elapsedMs: number
  readonly counts: { readonly sent: number; readonly answered: number; readonly seen: number }
  saidAt(command: string): number | undefined
  /**
   * Of the messages that waited for their answer at `fromMs` or were said before `toMs`: until the last of those that took longer
   * than a second was answered, from `fromMs` on. Undefined when none took longer.
   */
  recoveredMs(fromMs: number, toMs: number): number | undefined
  /** By second. */
  readonly series: DrillReport['series']
  quantiles(): { readonly answered: DrillQuantiles; readonly seen: DrillQuantiles }
}

export function createWatch(now: () => number): Watch {
  const said = new Map<string, number>()
  const answers: { readonly said: number; readonly answered: number }[] = []
  const seenAfter: number[] = []
  const series: { sent: number; acked: number; seen: number }[] = []
  let began = now()

  const elapsed = () => now() - began
  function second() {
    const index = Math.max(0, Math.floor(elapsed() / 1_000))
    while (series.length <= index) series.push({ sent: 0, acked: 0, seen: 0 })
    return series[index]!
  }

  return {
    said(command) {
      said.set(command, elapsed())
      second().sent += 1
    },
    answered(command) {
      const at = said.get(command)
      if (at === undefined) return
      answers.push({ said: at, answered: elapsed() })
      second().acked += 1
    },
    seen(command) {
      const at = said.get(command)
      if (at === undefined) return
      seenAfter.push(elapsed() - at)
      second().seen += 1
    },
    begin() {
      began = now()
      said.clear()
      answers.length = 0
      seenAfter.length = 0
      series.length = 0
    },
    get elapsedMs() {
      return elapsed()
    },
    get counts() {
      return { sent: said.size, answered: answers.length, seen: seenAfter.length }
    },
    saidAt: (command) => said.get(command),
    recoveredMs(fromMs, toMs) {
      let last: number | undefined
      for (const { said, answered } of answers) {
        if (said >= toMs || answered < fromMs || answered - said < SLOW_MS) continue
        last = Math.max(last ?? 0, answered - fromMs)
      }
      return last
    },
    series,
    quantiles: () => ({
      answered: quantilesOf(answers.map(({ said, answered }) => answered - said)),
      seen: quantilesOf(seenAfter),
    }),
  }
}

export function quantilesOf(times: readonly number[]): DrillQuantiles {
  const sorted = Float64Array.from(times).sort()
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}
