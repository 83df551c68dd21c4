import { KlatschError } from '@klatsch/contracts'
import { pause, type Scheduler } from '@klatsch/streams'

/** How long it is waited at most until one asks again. */
const AWAY_MS = 1_000

/**
 * What chat answers, asked again while it is away: to be kept waiting for a moment costs a client less than one more
 * connection, and one that moves here from a gateway that ends is not left without. `waits`: whether somebody still
 * waits for it; undefined when nobody does. `hindered` hears each time why there is no answer yet.
 */
export async function askWhileAway<T>(
  ask: () => Promise<T>,
  options: {
    readonly scheduler: Scheduler
    readonly random: () => number
    readonly waits: () => boolean
    readonly hindered: (why: KlatschError) => void
  },
): Promise<T | undefined> {
  const { scheduler, random, waits, hindered } = options
  while (waits()) {
    try {
      const answer = await ask()
      return waits() ? answer : undefined
    } catch (error) {
      if (!(error instanceof KlatschError && error.code === 'server.unavailable')) throw error
      hindered(error)
      await pause(
        scheduler,
        Math.round(Math.min(error.retryAfterMs ?? AWAY_MS, AWAY_MS) * (1 - random() / 2)),
      )
    }
  }
  return undefined
}
