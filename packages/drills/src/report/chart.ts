import type { DrillReport } from '@klatsch/contracts'
import { number } from './print.ts'

const WIDTH = 1_000
const HEIGHT = 200

/**
 * Sent and acknowledged by second, with a numbered mark where each step was. The curves stretch with the page; words and marks are
 * HTML beside them, so that they do not.
 */
export function chartOf({ series, steps }: DrillReport): string {
  if (series.length < 2) return ''
  const last = series.length - 1
  const top = niceAbove(Math.max(1, ...series.flatMap(({ sent, acked }) => [sent, acked])))
  const x = (second: number) => (second / last) * WIDTH
  const y = (count: number) => HEIGHT - (count / top) * HEIGHT
  const line = (of: (second: DrillReport['series'][number]) => number) =>
    series.map((second, index) => `${x(index).toFixed(1)},${y(of(second)).toFixed(1)}`).join(' ')
  const share = (ms: number) => `${Math.min(100, (ms / 1_000 / last) * 100).toFixed(2)}%`

  const grid = [0, 0.5, 1].map((part) => {
    const at = y(top * part)
    return `<line class="grid" x1="0" x2="${WIDTH}" y1="${at}" y2="${at}"/>`
  })
  const scale = [1, 0.5, 0].map((part) => `<span>${number(top * part)}</span>`)
  const marks = steps.map(({ atMs }, index) => mark(index, share(atMs), steps, last))
  const ticks = ticksTo(last).map(
    (second) => `<span style="left:${((second / last) * 100).toFixed(2)}%">${second} s</span>`,
  )
  return `<figure class="chart" role="img" aria-label="Messages sent and acknowledged in each second">
<div class="scale" aria-hidden="true">${scale.join('')}</div>
<div class="plot">
<div class="marks">${marks.join('')}</div>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">${grid.join('')}
<polygon class="sent" points="0,${HEIGHT} ${line(({ sent }) => sent)} ${WIDTH},${HEIGHT}"/>
<polyline class="acked" points="${line(({ acked }) => acked)}"/></svg>
<div class="ticks" aria-hidden="true">${ticks.join('')}</div>
</div>
<figcaption><span class="key sent"></span>sent <span class="key acked"></span>acknowledged, per second; numbers: what was done, below</figcaption>
</figure>`
}

/** Marks that would cover one another take turns in height. */
function mark(index: number, left: string, steps: DrillReport['steps'], last: number): string {
  const near = steps.slice(0, index).filter(({ atMs }) => (steps[index]!.atMs - atMs) / 1_000 < last * 0.045)
  return `<i style="left:${left};--row:${near.length % 3}"><b>${index + 1}</b></i>`
}

/** The next number of the kind 1, 2, 5, 10, 20, 50, and so on. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((factor) => factor * power).find((nice) => nice >= value) ?? value
}

function ticksTo(last: number): number[] {
  const step = niceAbove(last / 5)
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, index) => Math.round(index * step * 10) / 10)
}
