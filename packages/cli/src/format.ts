import { styleText } from 'node:util'
import { headers, type LabRecord } from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'

const TEXT = 100

export type Painter = (style: 'dim' | 'cyan' | 'yellow' | 'green' | 'red' | 'bold', text: string) => string

/** Colours are for terminals, and only where they are wanted. */
export const painter = (stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Painter =>
  stream.isTTY === true && !env.NO_COLOR
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text

/** Rows under one another, each column as wide as its widest cell. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Painter,
): string[] {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [paint('bold', line(head)), ...rows.map(line)]
}

/** A value that is not JSON is given as text: seeing garbage as it is is what the tool is for. */
function shown({ topic, partition, offset, key, timestamp, headers, value }: IncomingRecord): LabRecord {
  const text = value.toString()
  const time = new Date(timestamp).toISOString()
  return { topic, partition, offset, key, time, headers, value: parse(text) ?? text }
}

/** The record as one JSON object a line, for other programs. */
export const asJson = (record: IncomingRecord): string => JSON.stringify(shown(record))

/** The record as one line for people: when, where, what, in which stream, by whom, and its text if it has one. */
export const asLine = (record: IncomingRecord, paint: Painter): string => asRow(shown(record), paint)

/** The same, of a record that the laboratory shows. */
export function asRow(record: LabRecord, paint: Painter): string {
  const { topic, partition, offset, key, time, value } = record
  const seq = record.headers[headers.seq]
  const parts = [
    paint('dim', time.slice(11, 23)),
    paint('dim', `${topic}[${partition}]@${offset}`),
    paint('cyan', record.headers[headers.type] ?? text(value, 'state') ?? 'record'),
    paint('yellow', `${key}${seq ? ` #${seq}` : ''}`),
    record.headers[headers.actor] ?? text(value, 'actor') ?? '',
    summary(value),
  ]
  return parts.filter(Boolean).join('  ')
}

function summary(body: unknown): string {
  if (typeof body === 'string') return printable(body.slice(0, TEXT))
  const data = field(body, 'data')
  const said = text(data, 'text') ?? text(data, 'name') ?? text(body, 'code')
  if (said !== undefined) return printable(said.length > TEXT ? `${said.slice(0, TEXT)}…` : said)
  return data === undefined || JSON.stringify(data) === '{}'
    ? ''
    : printable(JSON.stringify(data).slice(0, TEXT))
}

/** What people wrote must not steer the terminal it is shown in. */
export const printable = (said: string): string => JSON.stringify(said).replace(/[\u007f-\u009f]/g, '�')

function parse(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name)
  return typeof found === 'string' ? found : undefined
}
