/** How many records there were in each topic, at a time in milliseconds. */
interface Sample {
  readonly at: number
  readonly ends: ReadonlyMap<string, number>
}

const WINDOW_MS = 30_000

export interface Rates {
  add(at: number, ends: ReadonlyMap<string, number>): void
  /** Records a second appended over the last half minute, or as much of it as is known; undefined before two samples. */
  perSecond(topic: string): number | undefined
}

export function topicRates(): Rates {
  let samples: Sample[] = []
  return {
    add(at, ends) {
      samples = [...samples.filter((sample) => at - sample.at <= WINDOW_MS), { at, ends }]
    },
    perSecond(topic) {
      const first = samples.find(({ ends }) => ends.has(topic))
      const last = samples.at(-1)
      const end = last?.ends.get(topic)
      if (!first || !last || end === undefined || last.at - first.at < 1_000) return undefined
      const appended = end - (first.ends.get(topic) ?? end)
      return Math.round((Math.max(0, appended) / (last.at - first.at)) * 10_000) / 10
    },
  }
}
