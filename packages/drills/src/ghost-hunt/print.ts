import type { GhostHuntReport } from './hunt.ts'

const WITNESSES = 5

/** `2,000 people · ghosts 0 · false offline 0 · unseen 0 · out of order 0`; then distributions; then witnesses. */
export function printHunt(report: GhostHuntReport): string {
  const found = {
    ghosts: report.ghosts,
    'false offline': report.falseOffline,
    unseen: report.unseen,
    'out of order': report.outOfOrder,
  }
  const counts = Object.entries(found).map(([name, list]) => `${name} ${list.length}`)
  const people = `${report.people.toLocaleString('en')} people, told ${report.told.toLocaleString('en')} times`
  const lines = [[people, ...counts].join(' · ')]
  for (const [word, times] of Object.entries({ offline: report.gone, online: report.back })) {
    for (const [why, ms] of Object.entries(times)) lines.push(`  ${word}, ${why}: ${spread(ms)}`)
  }
  for (const [name, list] of Object.entries(found)) {
    if (list.length > 0)
      lines.push(`  ${name}:`, ...list.slice(0, WITNESSES).map((witness) => `    ${witness}`))
  }
  return lines.join('\n')
}

/** Quantiles in words. */
function spread(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return `${sorted.length} times · p50 ${at(0.5)} · p99 ${at(0.99)} · max ${sorted.at(-1)} ms`
}
