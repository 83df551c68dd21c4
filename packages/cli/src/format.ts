import { styleText } from 'node:util'
import { headers } from '@klatsch/contracts'
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

/** The record as one JSON object a line, for other programs. A value that is not JSON is given as text. */
export function asJson(record: IncomingRecord): string {
  const text = record.value.toString()
  let value: unknown = text
  try {
    value = JSON.parse(text)
  } catch {
    // Garbage is shown as it is: seeing it is what the tool is for.
  }
  const { topic, partition, offset, key, timestamp } = record
  return JSON.stringify({
    topic,
    partition,
    offset,
    key,
    time: new Date(timestamp).toISOString(),
    headers: record.headers,
    value,
  })
}

/** The record as one line for people: when, where, what, in which stream, by whom, and its text if it has one. */
export function asLine(record: IncomingRecord, paint: Painter): string {
  const body = parse(record.value)
  const time = new Date(record.timestamp).toISOString().slice(11, 23)
  const seq = record.headers[headers.seq]
  const parts = [
    paint('dim', time),
    paint('dim', `${record.topic}[${record.partition}]@${record.offset}`),
    paint('cyan', record.headers[headers.type] ?? text(body, 'state') ?? 'record'),
    paint('yellow', `${record.key}${seq ? ` #${seq}` : ''}`),
    record.headers[headers.actor] ?? text(body, 'actor') ?? '',
    summary(body, record.value),
  ]
  return parts.filter(Boolean).join('  ')
}

function summary(body: unknown, value: Buffer): string {
  if (body === undefined) return printable(value.toString().slice(0, TEXT))
  const data = field(body, 'data')
  const said = text(data, 'text') ?? text(data, 'name') ?? text(body, 'code')
  if (said !== undefined) return printable(said.length > TEXT ? `${said.slice(0, TEXT)}…` : said)
  return data === undefined || JSON.stringify(data) === '{}'
    ? ''
    : printable(JSON.stringify(data).slice(0, TEXT))
}

/** What people wrote must not steer the terminal it is shown in. */
export const printable = (said: string): string => JSON.stringify(said).replace(/[\u007f-\u009f]/g, '�')

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString())
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
