/**
 * Deliberate bugs, to prove that the checks turn red. They are passed as arguments to what has them, and exist nowhere
 * else; the laboratory can switch them on.
 */
export interface Bugs {
  /** Holes in a stream are not filled from Postgres, silent tails not fetched. */
  readonly gapFillOff: boolean
}

export const noBugs: Bugs = { gapFillOff: false }
