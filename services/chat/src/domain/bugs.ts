/**
 * Deliberate bugs that the laboratory can switch on, to prove that its checks turn red. They are passed as arguments
 * to what has them, and exist nowhere else.
 */
export const knownBugs = ['dedupe-off', 'offset-before-commit'] as const
export type Bug = (typeof knownBugs)[number]

export interface Bugs {
  /** Outcomes that exist are ignored, so a repeated command is decided again. */
  readonly dedupeOff: boolean
  /** The offset of a command is committed without waiting for its decision. */
  readonly offsetBeforeCommit: boolean
}

export const noBugs: Bugs = { dedupeOff: false, offsetBeforeCommit: false }

export const bugsOf = (names: readonly Bug[]): Bugs => ({
  dedupeOff: names.includes('dedupe-off'),
  offsetBeforeCommit: names.includes('offset-before-commit'),
})
