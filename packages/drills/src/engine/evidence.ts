import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { DrillWitness } from '@klatsch/contracts'
import type { Witness } from '../judge/checker.ts'
import type { Target } from './target.ts'
import type { Performed } from './timeline.ts'
import type { Watch } from './watch.ts'

const BEFORE_MS = 1_000
const AFTER_MS = 4_000
const LINES = 20
const LOUD = /"level":"(warn|error|fatal)"|\b(WARN|WARNING|ERROR|FATAL|PANIC)\b/

/** Where evidence comes from. */
export interface Sources {
  readonly target: Target
  readonly watch: Watch
  readonly steps: readonly Performed[]
  /** When the load began: milliseconds since the epoch. */
  readonly startedAt: number
}

/** A witness with all that tells how it came about: its command's way through topics and tables, and the logs of that time. */
export async function withEvidence(witness: Witness, sources: Sources): Promise<DrillWitness> {
  const { target, watch, steps, startedAt } = sources
  const { at, ...named } = witness
  const { command, actor } = named
  const since = at === undefined ? undefined : at - startedAt
  const saidAtMs = command === undefined ? since : watch.saidAt(command)
  const before = steps.findLast(({ atMs }) => saidAtMs !== undefined && atMs <= saidAtMs + BEFORE_MS)
  return {
    ...named,
    ...(saidAtMs !== undefined && { saidAt: new Date(startedAt + saidAtMs).toISOString() }),
    ...(before && { after: before.what }),
    ...(command !== undefined && actor !== undefined && { way: await wayOf(target, command, actor) }),
    ...(target.logs !== undefined &&
      saidAtMs !== undefined && { logs: linesAround(target.logs, startedAt + saidAtMs, command) }),
  }
}

async function wayOf(target: Target, command: string, actor: string): Promise<DrillWitness['way']> {
  const followed = await target.lab?.follow(command, actor).catch(() => undefined)
  return followed?.steps.map(({ time, what, by, record, table }) => {
    const where = record ? `${record.topic}[${record.partition}]@${record.offset}` : table
    return { time, what, by, ...(where !== undefined && { where }) }
  })
}

/** Lines of all logs in a folder from that time that name the command, or complain; the first of them. */
function linesAround(
  folder: string,
  at: number,
  command: string | undefined,
): NonNullable<DrillWitness['logs']> {
  const found: { part: string; line: string; at: number }[] = []
  for (const file of readdirSync(folder)) {
    if (!/\.log(\.\d)?$/.test(file)) continue
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
      const time = timeOf(line)
      if (time === undefined || time < at - BEFORE_MS || time > at + AFTER_MS) continue
      if (!LOUD.test(line) && (command === undefined || !line.includes(command))) continue
      found.push({ part: basename(file).replace(/\.log.*$/, ''), line: line.slice(0, 400), at: time })
    }
  }
  return found
    .sort((a, b) => a.at - b.at)
    .slice(0, LINES)
    .map(({ part, line }) => ({ part, line }))
}

/** Of a JSON line of a service, and of a line of Kafka or Postgres, which begin with it. */
function timeOf(line: string): number | undefined {
  const json = /"time":"([^"]+)"/.exec(line)?.[1]
  const plain = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)[.,](\d{3})( UTC)?/.exec(line)
  const text = json ?? (plain && `${plain[1]}T${plain[2]}.${plain[3]}${plain[4] ? 'Z' : ''}`)
  const time = text ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}
