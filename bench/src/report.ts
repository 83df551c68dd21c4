import { cpus, release, totalmem } from 'node:os'
import type { Row } from './figure.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
}

export function machine(): Machine {
  const all = cpus()
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.versions.node,
  }
}

/** The table, as Markdown. */
export function table(rows: readonly Row[]): string {
  const cells = [
    ['what', 'Klatsch', 'floor', 'ratio', 'aim', 'the floor is', 'others, as recorded'],
    ...rows.map((row) => [
      row.what,
      `${number(row.ours)}${unit(row)}`,
      row.floor === undefined ? '' : `${number(row.floor)}${unit(row)}`,
      row.ratio === undefined ? '' : `${row.ratio.toPrecision(row.ratio < 100 ? 2 : 3)}×`,
      row.aim ?? '',
      row.against ?? '',
      row.others ?? '',
    ]),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)))
  const lines = cells.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`,
  )
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

const unit = (row: Row): string => (row.unit === '/s' ? '/s' : ` ${row.unit}`)

/** Three digits that mean something: 0.123, 12.3, 12,300. */
function number(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return new Intl.NumberFormat('en', { maximumSignificantDigits: 3 }).format(value)
}
