import { presenceTimes, topics } from '@klatsch/contracts'
import type { Simulation } from '@klatsch/streams/simulation'
import type { Span } from './lives.ts'
import type { PresenceProcess } from './presence-process.ts'

const LOOK_MS = 500

/** Notes, while a world runs, when a partition of presence had no owner that knows everything, and when it changed hands. */
export class PresenceWatch {
  readonly #away: number[] = []
  readonly #moved: number[] = []
  #owners: readonly (string | undefined)[] = []

  constructor(sim: Simulation, presences: readonly PresenceProcess[]) {
    const look = () => {
      const running = presences.filter(({ process }) => process.state === 'running')
      const owners = Array.from({ length: topics.presenceSignals.partitions }, (_, partition) => {
        const those = running.filter(({ partitions }) => partitions.get(partition)?.settled)
        return those.length === 1 ? those[0]!.process.name : undefined
      })
      if (owners.includes(undefined)) this.#away.push(sim.now())
      if (owners.some((owner, partition) => owner !== this.#owners[partition])) this.#moved.push(sim.now())
      this.#owners = owners
      sim.after(LOOK_MS, look)
    }
    look()
  }

  /** Each partition has one owner that knows everything, as far as was seen last. */
  get settled(): boolean {
    return !this.#owners.includes(undefined)
  }

  moved({ from, to }: Span): boolean {
    return this.#moved.some((at) => from - LOOK_MS < at && at < to + LOOK_MS)
  }

  /** Milliseconds by which whoever was told anything in this time may have been told later. */
  delayMs({ from, to }: Span): number {
    const within = (times: readonly number[]) => times.filter((at) => from < at && at < to).length
    return within(this.#away) * LOOK_MS + within(this.#moved) * 2 * presenceTimes.tickMs
  }
}
