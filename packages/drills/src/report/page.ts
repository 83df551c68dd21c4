import type { DrillQuantiles, DrillReport, DrillWitness } from '@klatsch/contracts'
import { meanings } from '../engine/verdict.ts'
import { chartOf } from './chart.ts'
import { bugsOf, number, raceRows, secondsOf, spoiltOf, words } from './print.ts'
import { style } from './style.ts'

/** The report as one HTML page with nothing outside it, to be sent to someone. */
export function pageOf(report: DrillReport): string {
  const { scenario, ok, reasons, sent } = report
  const lead = ok
    ? `${number(sent)} messages, and every promise held.`
    : `${number(sent)} messages, and not every promise held: ${reasons.join('; ')}.`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(scenario.title)} · ${ok ? 'holds' : 'does not hold'} · Klatsch drill</title><style>${style}</style></head>
<body class="${ok ? 'held' : 'broken'}"><main>
<span class="verdict">${ok ? 'Holds' : 'Does not hold'}</span>
<h1>${escaped(scenario.title)}</h1>
<p>${escaped(scenario.shows)}</p>
<p>${escaped(lead)}</p>
${facts(report)}
${counts(report)}
${findings(
  'What was found',
  report.found.filter((each) => each.judged),
)}
<h2>What was done, and how it went on</h2>
<div class="card">${chartOf(report)}</div>
<h2>Step by step</h2>
<div class="card"><ol class="steps">${report.steps.map(step).join('')}</ol>
<p class="soft">Everyone had everything ${report.settledMs === undefined ? 'never' : `${secondsOf(report.settledMs)} after the last message`}.</p></div>
<h2>How long it took</h2>
<div class="card scroll">${times(report)}</div>
${raced(report)}${seenPresence(report)}
<h2>What was judged</h2>
<div class="card">${judged(report)}</div>
${findings(
  'What was to be expected',
  report.found.filter((each) => !each.judged),
)}
<footer><p>To run it again: <code>npm run klatsch -- drill ${escaped(scenario.name)} --seed ${report.seed}${scenario.bugs.length > 0 ? ` --bugs ${escaped(scenario.bugs.join(','))}` : ''}</code></p>
<p>Klatsch promises that a confirmed message is never lost, never doubled, never out of order in its room. This page is the check of that,
made from what every client sent and saw, and what Postgres, Kafka and HTTP had in the end.</p></footer>
</main></body></html>
`
}

function facts(report: DrillReport): string {
  const { scenario, seed, startedAt, tookMs, observers, read } = report
  const { load } = scenario
  const who = [
    [load.people, 'people at our client'],
    [load.bare, 'at bare sockets'],
    [load.strict, 'sockets that forgive nothing'],
    [load.programs, 'programs over HTTP'],
  ] as const
  const items = [
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${secondsOf(tookMs)}`,
    `seed ${seed}${bugsOf(report)}`,
    `${who
      .filter(([count]) => count > 0)
      .map(([count, what]) => `${number(count)} ${what}`)
      .join(', ')}, in ${load.rooms} rooms`,
    `${number(read)} events read by ${number(observers)} observers`,
    ...spoiltOf(report),
    ...(report.moves > 0 ? [`sockets moved ${number(report.moves)} times`] : []),
  ]
  return `<ul class="facts">${items.map((item) => `<li>${escaped(item)}</li>`).join('')}</ul>`
}

function counts(report: DrillReport): string {
  const found = new Map(report.found.map(({ invariant, count }) => [invariant, count]))
  const cells: [string, number, boolean][] = [
    ['sent', report.sent, false],
    ['acknowledged', report.acked, false],
    ...(['lost', 'doubled', 'outOfOrder'] as const).map((name): [string, number, boolean] => [
      words[name],
      found.get(name) ?? 0,
      found.has(name),
    ]),
    ['without an answer', report.unknown, report.unknown > report.scenario.judge.unknown],
    ...(report.rejected > 0
      ? [
          ['refused', report.rejected, report.rejected > report.scenario.judge.rejected] as [
            string,
            number,
            boolean,
          ],
        ]
      : []),
    ...(report.held > 0 ? [['held', report.held, false] as [string, number, boolean]] : []),
  ]
  const cell = ([name, count, isBad]: [string, number, boolean]) =>
    `<div><dt>${name}</dt><dd${isBad ? ' class="bad"' : ''}>${number(count)}</dd></div>`
  return `<dl class="counts">${cells.map(cell).join('')}</dl>`
}

function findings(title: string, found: DrillReport['found']): string {
  if (found.length === 0) return ''
  const sections = found.map(
    ({ invariant, means, judged, count, witnesses }) => `<section class="finding${judged ? '' : ' noted'}">
<h3${judged ? ' class="bad"' : ''}>${escaped(words[invariant])}: ${number(count)}</h3>
<p class="soft">${escaped(means)}</p>
${witnesses.map(witness).join('')}${count > witnesses.length ? `<p class="soft">and ${number(count - witnesses.length)} more</p>` : ''}</section>`,
  )
  return `<h2>${title}</h2>${sections.join('')}`
}

function witness({ what, saidAt, after, way, logs }: DrillWitness): string {
  const said =
    saidAt === undefined
      ? ''
      : `<p>Said at <span class="mono">${saidAt.slice(11, 23)}</span>${after === undefined ? '' : `, after: ${escaped(after)}`}.</p>`
  const rows = way?.map(
    ({ time, where, what, by }) =>
      `<tr><td class="mono">${time.slice(11, 23)}</td><td class="mono">${escaped(where ?? '')}</td><td>${escaped(what)}</td><td>${escaped(by)}</td></tr>`,
  )
  const table =
    rows && rows.length > 0
      ? `<h4>Its way</h4><div class="scroll"><table><tr><th>time</th><th>record or table</th><th>what</th><th>by</th></tr>${rows.join('')}</table></div>`
      : ''
  const lines =
    logs && logs.length > 0
      ? `<h4>Logs of that time</h4><pre class="log mono">${logs.map(({ part, line }) => escaped(`${part}  ${line}`)).join('\n')}</pre>`
      : ''
  const evidence = said + table + lines
  if (evidence === '') return `<p class="mono">${escaped(what)}</p>`
  return `<details><summary class="mono">${escaped(what)}</summary><div>${evidence}</div></details>`
}

function step(
  { atMs, what, do: kind, tookMs, recoveredMs, error }: DrillReport['steps'][number],
  index: number,
): string {
  const over =
    tookMs !== undefined && ['kill', 'restart', 'launch', 'stop', 'redrive'].includes(kind)
      ? ` Over after ${secondsOf(tookMs)}.`
      : ''
  const recovered =
    recoveredMs === undefined
      ? ' Nobody waited longer than a second for an answer.'
      : ` Every answer came within a second again after ${secondsOf(recoveredMs)}.`
  const failed = error === undefined ? '' : ` <span class="bad">${escaped(error)}</span>`
  return `<li><b class="n">${index + 1}</b><span class="at">${secondsOf(atMs)}</span><span class="what">${escaped(sentence(what))}.<span class="soft">${over}${recovered}</span>${failed}</span></li>`
}

const quantileHead =
  '<tr><th></th><th class="n">times</th><th class="n">half within</th><th class="n">99 % within</th><th class="n">longest</th></tr>'

function quantileRow(what: string, { count, p50, p99, max }: DrillQuantiles): string {
  const cells = [number(count), ...[p50, p99, max].map((ms) => `${number(ms)} ms`)]
  return `<tr><td>${escaped(what)}</td>${cells.map((cell) => `<td class="n">${cell}</td>`).join('')}</tr>`
}

const times = ({ answered, seen }: DrillReport): string =>
  `<table>${quantileHead}${quantileRow('until it was acknowledged', answered)}${quantileRow('until somebody saw it', seen)}</table>`

function raced({ race }: DrillReport): string {
  if (!race) return ''
  const head = race.map(({ policy }) => `<th class="n">${escaped(policy)}</th>`)
  const rows = raceRows.map(
    ([what, of]) =>
      `<tr><td>${what}</td>${race.map((lane) => `<td class="n">${escaped(of(lane))}</td>`).join('')}</tr>`,
  )
  return `<h2>Side by side: what each policy did about the same fault</h2>
<div class="card scroll"><table><tr><th></th>${head.join('')}</tr>${rows.join('')}</table></div>`
}

function seenPresence({ presence }: DrillReport): string {
  if (!presence) return ''
  const rows = (word: string, of: Readonly<Record<string, DrillQuantiles>>) =>
    Object.entries(of).map(([why, times]) => quantileRow(`${word}: ${why}`, times))
  return `<h2>How long until it was known</h2>
<div class="card scroll"><table>${quantileHead}${[...rows('offline', presence.gone), ...rows('online', presence.back)].join('')}</table></div>`
}

function judged({ judged, found }: DrillReport): string {
  const wrong = new Set(found.map(({ invariant }) => invariant))
  const items = judged.map((name) => {
    const isBad = wrong.has(name)
    return `<li${isBad ? ' class="bad"' : ''}><span class="tick">${isBad ? '✗' : '✓'}</span><b>${escaped(words[name])}</b> ${escaped(meanings[name])}</li>`
  })
  return `<ul class="judged">${items.join('')}</ul>`
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
