import type { DrillReport, DrillStep } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import { inWords, perform, type Stage } from './actions.ts'
import type { Watch } from './watch.ts'

export type Performed = DrillReport['steps'][number]

/** A step, and when it is to be: milliseconds since the load began. */
export interface Timed {
  readonly step: DrillStep
  readonly atMs: number
}

/** When each step is to be: its time, give or take its jitter, by the seed; one after the other as they are written. */
export function timesOf(steps: readonly DrillStep[], random: () => number): Timed[] {
  let before = 0
  return steps.map((step) => {
    const atMs = Math.max(before, 1_000 * (step.at + (2 * random() - 1) * step.jitter))
    before = atMs
    return { step, atMs }
  })
}

/**
 * Does each step at its time, whether or not the one before is over; what one step does to a part waits until that is up.
 * Resolves when all are over, with what was done and how long it took; a step that could not be done says why.
 */
export async function runTimeline(
  timed: readonly Timed[],
  stage: Stage,
  { watch, log }: { readonly watch: Watch; readonly log: (line: string) => void },
): Promise<Performed[]> {
  const under: Promise<Performed>[] = []
  for (const { step, atMs } of timed) {
    await pause(systemScheduler, atMs - watch.elapsedMs, stage.signal)
    if (stage.signal.aborted) break
    under.push(one(step))
  }
  return Promise.all(under)

  async function one(step: DrillStep): Promise<Performed> {
    const what = inWords(step)
    const atMs = watch.elapsedMs
    log(what)
    const over = stage.audience?.meets(step)
    try {
      await perform(step, stage)
      over?.()
    } catch (error) {
      const message = (error as Error).message
      log(`${what}: ${message}`)
      return { atMs, do: step.do, what, error: message }
    }
    const tookMs = watch.elapsedMs - atMs
    if (step.do === 'kill' || step.do === 'restart')
      log(`${what}: over after ${(tookMs / 1_000).toFixed(1)} s`)
    return { atMs, do: step.do, what, tookMs }
  }
}

/** With how long people waited after each: until the next one at most. */
export function withRecovery(performed: readonly Performed[], watch: Watch): Performed[] {
  const starts = performed.map(({ atMs }) => atMs)
  return performed.map((step) => {
    const next = Math.min(...starts.filter((at) => at > step.atMs), Number.POSITIVE_INFINITY)
    const recoveredMs = watch.recoveredMs(step.atMs, next)
    return recoveredMs === undefined ? step : { ...step, recoveredMs }
  })
}
