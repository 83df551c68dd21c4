import type { Bug } from '@klatsch/contracts'
import { type Plan, type PlanOptions, planOf, type Setup } from './plan.ts'
import type { Outcome } from './run.ts'
import { type Kind, meanings } from './verdict.ts'

const WITNESSES = 3

/** What was done and what came of it. */
export function printOutcome({ findings, story }: Outcome): string {
  const found = Object.entries(findings).flatMap(([kind, witnesses = []]) => [
    `  ${words(kind)}: ${meanings[kind as Kind]}`,
    ...witnesses.slice(0, WITNESSES).map((witness) => `    ${witness}`),
    ...(witnesses.length > WITNESSES ? [`    and ${witnesses.length - WITNESSES} more`] : []),
  ])
  return [...story.map((line) => `  ${line}`), '', ...found].join('\n')
}

/** `falseOffline` as `false offline`. */
export const words = (kind: string): string =>
  kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** The command that runs exactly this plan again. */
export function commandOf(plan: Plan, options: PlanOptions, bugs: readonly Bug[]): string {
  const whole = planOf(plan.seed, options)
  const parts = ['npm run simulate --', `--seed ${plan.seed}`]
  if (options.steps !== undefined) parts.push(`--steps ${options.steps}`)
  if (options.cutting) parts.push(`--cutting ${options.cutting}`)
  if (bugs.length > 0) parts.push(`--bugs ${bugs.join(',')}`)
  if (plan.steps.length < whole.steps.length) {
    parts.push(`--only ${plan.steps.map(({ n }) => n).join(',') || 'none'}`)
  }
  for (const [part, count] of Object.entries(plan.setup)) {
    if (count !== whole.setup[part as keyof Setup]) parts.push(`--${part} ${count}`)
  }
  if (plan.order !== whole.order) parts.push(`--order ${plan.order}`)
  return parts.join(' ')
}
