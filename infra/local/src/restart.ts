import { Problem } from './problem.ts'
import type { Replaceable } from './replaceable.ts'

/** How far a restart is. `ms`: since the step before of the same part. */
export interface RestartStep {
  readonly part: string
  /** A successor is on its way up; it answers, and the old one hands over; the old one has ended. */
  readonly step: 'starting' | 'handing over' | 'done'
  readonly ms: number
}

/** `gateway` means each of `gateway`, `gateway-2` and so on; nothing named means all. @throws Problem */
export function partsToRestart(all: Iterable<string>, named: readonly string[]): string[] {
  const names = [...all]
  if (named.length === 0) return names
  const chosen = named.flatMap((name) => {
    const found = names.filter((each) => each === name || each.replace(/-\d+$/, '') === name)
    if (found.length === 0)
      throw new Problem(`${name} cannot be restarted in turn. What can: ${names.join(', ')}.`)
    return found
  })
  return names.filter((name) => chosen.includes(name))
}

/** Replaces one part after the other. Ends at the first whose successor does not come up. */
export async function restartInTurn(
  parts: ReadonlyMap<string, Replaceable>,
  named: readonly string[],
  onStep: (step: RestartStep) => void,
): Promise<void> {
  for (const name of partsToRestart(parts.keys(), named)) {
    let at = Date.now()
    const step = (step: RestartStep['step']) => {
      const now = Date.now()
      onStep({ part: name, step, ms: now - at })
      at = now
    }
    step('starting')
    await parts.get(name)!.replace(() => step('handing over'))
    step('done')
  }
}
