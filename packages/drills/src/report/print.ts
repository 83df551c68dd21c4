import type { DrillQuantiles, DrillReport, Invariant } from '@klatsch/contracts'
import { type Anomaly, anomalies, type Report } from '../judge/checker.ts'

type Lane = NonNullable<DrillReport['race']>[number]

const WITNESSES = 5
const WAY = 12
const LINES = 6
export const number = (n: number): string => n.toLocaleString('en')
export const secondsOf = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

/** What is found, in the words of a report. */
export const words: Readonly<Record<Invariant, string>> = {
  lost: 'lost',
  doubled: 'doubled',
  outOfOrder: 'out of order',
  divergent: 'divergent',
  gaps: 'gaps',
  unannouncedGaps: 'unannounced gaps',
  chainBreaks: 'chain breaks',
  phantom: 'phantom',
  misplaced: 'misplaced',
  senderOrder: "against the sender's order",
  unresolved: 'unresolved',
  undecided: 'undecided',
  projection: 'read table differs',
  unsettled: 'unsettled',
  ghosts: 'ghosts',
  falseOffline: 'false offline',
  unseen: 'unseen',
  versionOrder: 'states out of order',
  troubled: 'clients in trouble',
}
/** Told even when there is none. */
const ALWAYS: readonly Invariant[] = ['lost', 'doubled', 'outOfOrder']

/** `sent 10,000 · lost 0 · doubled 0 · out of order 0`; then, for what was found, its meaning and witnesses. */
export function printReport(report: Report): string {
  const found = Object.keys(anomalies) as Anomaly[]
  const lines = [headline(report.sent, new Map(found.map((name) => [name, report.anomalies[name].length])))]
  lines.push(`  ${counts(report)}`)
  for (const name of found) {
    const witnesses = report.anomalies[name]
    if (witnesses.length === 0) continue
    lines.push(`  ${words[name]} (${anomalies[name]}):`)
    lines.push(...witnesses.slice(0, WITNESSES).map(({ what }) => `    ${what}`))
    if (witnesses.length > WITNESSES) lines.push(`    and ${number(witnesses.length - WITNESSES)} more`)
  }
  return lines.join('\n')
}

function headline(sent: number, found: ReadonlyMap<Invariant, number>): string {
  const shown = (Object.keys(words) as Invariant[]).filter(
    (name) => ALWAYS.includes(name) || (found.get(name) ?? 0) > 0,
  )
  const parts = shown.map((name) => `${words[name]} ${number(found.get(name) ?? 0)}`)
  return [`sent ${number(sent)}`, ...parts].join(' · ')
}

function counts(report: Omit<Report, 'anomalies' | 'ok' | 'sent'>): string {
  return [
    `acknowledged ${number(report.acked)}`,
    `unknown ${number(report.unknown)}`,
    `refused ${number(report.rejected)}`,
    ...(report.held > 0 ? [`held ${number(report.held)}`] : []),
    `read ${number(report.read)} by ${number(report.observers)}`,
  ].join(' · ')
}

/** The same of a drill, and what was done to the stack, how fast it was, and the evidence of what is wrong. */
export function printDrill(report: DrillReport): string {
  const { scenario, steps, answered, seen, settledMs, reasons, troubles } = report
  const judged = report.found.filter((each) => each.judged)
  const lines = [
    headline(report.sent, new Map(judged.map(({ invariant, count }) => [invariant, count]))),
    `  ${counts(report)}`,
    `  answered after p50 ${answered.p50} · p99 ${answered.p99} · max ${answered.max} ms · seen after p50 ${seen.p50} · p99 ${seen.p99} · max ${seen.max} ms`,
    ...steps.map(
      (step) =>
        `  ${secondsOf(step.atMs).padStart(7)}  ${step.what}${tookOf(step)}${step.recoveredMs === undefined ? '' : `; all was answered within a second again after ${secondsOf(step.recoveredMs)}`}`,
    ),
    `  everyone had everything ${settledMs === undefined ? 'never' : `after ${secondsOf(settledMs)}`}${troubles > 0 ? ` · clients met ${number(troubles)} errors` : ''}${report.moves > 0 ? ` · sockets moved ${number(report.moves)} times` : ''}${spoiltOf(
      report,
    )
      .map((what) => ` · ${what}`)
      .join('')}`,
  ]
  if (report.race) lines.push(...raceLines(report.race))
  if (report.presence) lines.push(...presenceLines(report.presence))
  for (const { invariant, means, count, witnesses } of judged) {
    lines.push(`  ${words[invariant]} (${means}): ${number(count)}`)
    for (const witness of witnesses) {
      lines.push(`    ${witness.what}${witness.after === undefined ? '' : `  [after: ${witness.after}]`}`)
      for (const { time, what, by, where } of witness.way?.slice(0, WAY) ?? [])
        lines.push(`      ${time.slice(11, 23)}  ${where ?? ''}  ${what}  ${by}`)
      for (const { part, line } of witness.logs?.slice(0, LINES) ?? []) lines.push(`      ${part}: ${line}`)
    }
    if (count > witnesses.length) lines.push(`    and ${number(count - witnesses.length)} more`)
  }
  const verdict = report.ok ? 'holds' : `does not hold: ${reasons.join('; ')}`
  lines.push(`  ${scenario.name}, seed ${report.seed}${bugsOf(report)}: ${verdict}`)
  return lines.join('\n')
}

/** What is told of each policy, side by side. */
export const raceRows: readonly (readonly [string, (lane: Lane) => string])[] = [
  ['could not be taken', ({ poisoned, messages }) => `${number(poisoned)} of ${number(messages)}`],
  ['waited at the end of the fault', ({ waiting }) => number(waiting)],
  ['of them parked', ({ parked }) => number(parked)],
  ['until nothing waited', ({ recoveredMs }) => secondsOf(recoveredMs)],
  ['failed attempts', ({ attempts }) => number(attempts)],
  ['of one record at most', ({ attemptsAtMost }) => number(attemptsAtMost)],
  ['dead letters', ({ deadLetters }) => number(deadLetters)],
  ['applied after a later one', ({ late }) => number(late)],
  ['never applied', ({ missing }) => number(missing)],
]

function raceLines(lanes: readonly Lane[]): string[] {
  const cells = [
    ['', ...lanes.map(({ policy }) => policy)],
    ...raceRows.map(([what, of]) => [what, ...lanes.map(of)]),
  ]
  return cells.map(
    ([what = '', ...rest]) => `    ${what.padEnd(32)}${rest.map((cell) => cell.padStart(14)).join('')}`,
  )
}

function presenceLines({ people, told, gone, back }: NonNullable<DrillReport['presence']>): string[] {
  const spread =
    (word: string) =>
    ([why, { count, p50, p99, max }]: [string, DrillQuantiles]) =>
      `    ${word}, ${why}: ${number(count)} times · p50 ${p50} · p99 ${p99} · max ${max} ms`
  return [
    `  ${number(people)} people were looked at, and told of ${number(told)} times`,
    ...Object.entries(gone).map(spread('offline')),
    ...Object.entries(back).map(spread('online')),
  ]
}

function tookOf({ do: kind, tookMs, error }: DrillReport['steps'][number]): string {
  if (error !== undefined) return `: ${error}`
  return tookMs !== undefined && ['kill', 'restart', 'launch', 'stop', 'redrive'].includes(kind)
    ? `, over after ${secondsOf(tookMs)}`
    : ''
}

/** What happened to clients' connections, if anything did. */
export function spoiltOf({ spoilt }: DrillReport): string[] {
  const done = Object.entries(spoilt).filter(([, count]) => count > 0)
  if (done.length === 0) return []
  return [`connections spoilt: ${done.map(([kind, count]) => `${kind} ${number(count)}`).join(', ')}`]
}

export const bugsOf = ({ scenario: { bugs } }: DrillReport): string =>
  bugs.length === 0 ? '' : `, with the bugs ${bugs.join(', ')}`
