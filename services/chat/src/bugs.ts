/**
 * Deliberate bugs that the laboratory can switch on, to prove that its checks turn red. They are passed as arguments
 * to what has them, and exist nowhere else.
 */
export const knownBugs = ['dedupe-off'] as const
export type Bug = (typeof knownBugs)[number]

export interface Bugs {
  /** Outcomes that exist are ignored, so a repeated command is decided again. */
  readonly dedupeOff: boolean
}

export const noBugs: Bugs = { dedupeOff: false }

export const bugsOf = (names: readonly Bug[]): Bugs => ({ dedupeOff: names.includes('dedupe-off') })
