import type { FaultInstance } from '@klatsch/contracts'

/** Silence after which an instance counts as gone: three times what it says. */
const GONE_MS = 13_000
/** So long its address is remembered, for when everything is to be halted and nothing comes over the log. */
const FORGET_MS = 3_600_000

interface Known {
  readonly said: FaultInstance
  readonly heardAt: number
}

export interface Instances {
  /** Answers whether it was not known before. */
  take(said: FaultInstance, now: number): boolean
  /** Those that were heard of lately, by name. */
  live(now: number): FaultInstance[]
  /** Every address that may still be somebody's. */
  addresses(): string[]
}

export function knownInstances(): Instances {
  const known = new Map<string, Known>()
  const isLive = ({ said, heardAt }: Known, now: number) => !said.gone && now - heardAt < GONE_MS
  return {
    take(said, now) {
      const before = known.get(said.instance)
      known.set(said.instance, { said, heardAt: now })
      for (const [name, { heardAt }] of known) if (now - heardAt > FORGET_MS) known.delete(name)
      return !said.gone && (before === undefined || !isLive(before, now))
    },
    live: (now) =>
      [...known.values()]
        .filter((each) => isLive(each, now))
        .map(({ said }) => said)
        .sort((a, b) => a.instance.localeCompare(b.instance)),
    addresses: () => [
      ...new Set([...known.values()].filter(({ said }) => !said.gone).map(({ said }) => said.url)),
    ],
  }
}
