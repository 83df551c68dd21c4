import { type Anomaly, anomalies, type Report } from './checker.ts'

const WITNESSES = 5
const number = (n: number): string => n.toLocaleString('en')

const words: Readonly<Record<Anomaly, string>> = {
  lost: 'lost',
  doubled: 'doubled',
  outOfOrder: 'out of order',
  divergent: 'divergent',
  gaps: 'gaps',
  chainBreaks: 'chain breaks',
  phantom: 'phantom',
  misplaced: 'misplaced',
  senderOrder: "against the sender's order",
}
const ALWAYS: readonly Anomaly[] = ['lost', 'doubled', 'outOfOrder']

/** `sent 10,000 · lost 0 · doubled 0 · out of order 0`; then, for what was found, its meaning and witnesses. */
export function printReport(report: Report): string {
  const found = Object.keys(anomalies) as Anomaly[]
  const shown = found.filter((name) => ALWAYS.includes(name) || report.anomalies[name].length > 0)
  const parts = shown.map((name) => `${words[name]} ${number(report.anomalies[name].length)}`)
  const lines = [[`sent ${number(report.sent)}`, ...parts].join(' · ')]
  const counts = [`acknowledged ${number(report.acked)}`, `unknown ${number(report.unknown)}`]
  counts.push(
    `refused ${number(report.rejected)}`,
    `read ${number(report.read)} by ${number(report.observers)}`,
  )
  lines.push(`  ${counts.join(' · ')}`)
  for (const name of found) {
    const witnesses = report.anomalies[name]
    if (witnesses.length === 0) continue
    lines.push(`  ${words[name]} (${anomalies[name]}):`)
    lines.push(...witnesses.slice(0, WITNESSES).map((witness) => `    ${witness}`))
    if (witnesses.length > WITNESSES) lines.push(`    and ${number(witnesses.length - WITNESSES)} more`)
  }
  return lines.join('\n')
}
