/**
 * Deliberate bugs that the laboratory can switch on, to prove that its checks turn red. They are passed as arguments
 * to what has them, and exist nowhere else.
 */
export const knownBugs = [
  'dedupe-off',
  'offset-before-commit',
  'two-sends-in-flight',
  'key-order-off',
] as const
export type Bug = (typeof knownBugs)[number]

export interface Bugs {
  /** Outcomes that exist are ignored, so a repeated command is decided again. */
  readonly dedupeOff: boolean
  /** The offset of a command is committed without waiting for its decision. */
  readonly offsetBeforeCommit: boolean
  /** Events are sent while those before them have no answer. */
  readonly twoSendsInFlight: boolean
  /** Events go to any partition, whatever their stream. */
  readonly keyOrderOff: boolean
}

export const bugsOf = (names: readonly Bug[]): Bugs => ({
  dedupeOff: names.includes('dedupe-off'),
  offsetBeforeCommit: names.includes('offset-before-commit'),
  twoSendsInFlight: names.includes('two-sends-in-flight'),
  keyOrderOff: names.includes('key-order-off'),
})

export const noBugs: Bugs = bugsOf([])
