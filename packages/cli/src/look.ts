import {
  type LabDlq,
  type LabFollow,
  type LabTopic,
  labDlqSchema,
  labFollowSchema,
  labTopicSchema,
} from '@klatsch/contracts'
import { z } from 'zod'
import { type Painter, printable, table } from './format.ts'
import type { Laboratory } from './laboratory.ts'

/** What a command has to say: lines for people, or one value for other programs. */
export interface Said {
  readonly lines: readonly string[]
  readonly json: unknown
  /** False: not all of it went well, and the exit code says so. */
  readonly ok?: boolean
}

export async function topicsNow(lab: Laboratory, names: readonly string[], paint: Painter): Promise<Said> {
  const { items } = await lab.get('/topics', {}, z.object({ items: z.array(labTopicSchema) }))
  const chosen = names.length === 0 ? items : items.filter(({ topic }) => names.includes(topic))
  return { lines: topicLines(chosen, names.length > 0, paint), json: chosen }
}

function topicLines(items: readonly LabTopic[], closely: boolean, paint: Painter): string[] {
  const rows = items.map(({ topic, partitions, records, perSecond, groups }) => [
    topic,
    String(partitions.length),
    String(records),
    perSecond === undefined ? '' : String(perSecond),
    groups.map(({ group, lag }) => `${group} (${lag === 0 ? 'all read' : `lag ${lag}`})`).join(', '),
  ])
  const overview = table(['topic', 'partitions', 'records', 'per second', 'groups'], rows, paint)
  if (!closely) return overview
  const details = items.flatMap(({ topic, describe, partitions, groups }) => [
    '',
    `${paint('cyan', topic)}  ${describe}`,
    ...partitions.map(({ partition, begin, end }) => `  partition ${partition}: ${begin} to ${end}`),
    ...groups.map(
      ({ group, state, members, lag }) => `  group ${group}: ${state}, ${members} members, lag ${lag}`,
    ),
  ])
  return [...overview, ...details]
}

export async function followCommand(
  lab: Laboratory,
  id: string,
  actor: string | undefined,
  paint: Painter,
): Promise<Said> {
  const way = await lab.get(`/follow/${encodeURIComponent(id)}`, { actor }, labFollowSchema)
  return { lines: wayLines(way, paint), json: way }
}

/** Where the way of something else is shown than what was asked for. */
function askedFor({ askedFor }: LabFollow): string[] {
  if (!askedFor) return []
  const { id, kind, what, record } = askedFor
  const where = `${record.topic}[${record.partition}]@${record.offset}`
  return [`${id} is the ${kind} ${what} at ${where}, in ${record.key}. It came of this command:`, '']
}

function wayLines(way: LabFollow, paint: Painter): string[] {
  const rows = way.steps.map(({ kind, time, afterMs, record, table: in_, what, by }) => [
    time.slice(11, 23),
    `+${afterMs} ms`,
    kind,
    record ? `${record.topic}[${record.partition}]@${record.offset}` : `table ${in_}`,
    what,
    by,
  ])
  return [
    ...askedFor(way),
    `${paint('cyan', way.type ?? 'command')}  ${way.id}`,
    `${way.actor}  ${paint('yellow', way.subject ?? '')}`,
    paint(way.state === 'accepted' ? 'green' : 'red', way.state) + (way.code ? `  ${way.code}` : ''),
    ...way.traceIds.map((trace) => `trace ${trace}`),
    '',
    ...table(['time', 'after', 'step', 'where', 'what', 'by'], rows, paint),
    ...way.rows.flatMap(({ table: name, row }) => [
      '',
      paint('dim', name),
      `  ${printable(JSON.stringify(row))}`,
    ]),
    ...(way.complete ? [] : ['', 'The log was too long to be read in whole: there may be more.']),
  ]
}

export async function deadLetters(lab: Laboratory, query: object, paint: Painter): Promise<Said> {
  const found = await lab.get('/dlq', query, labDlqSchema)
  return { lines: letterLines(found, paint), json: found }
}

function letterLines({ kinds, items, complete }: LabDlq, paint: Painter): string[] {
  if (items.length === 0) return ['No dead letters.']
  const rows = kinds.map(({ topic, group, code, count, open, last }) => [
    topic,
    group,
    code,
    String(count),
    String(open),
    last,
  ])
  const letters = items.map(({ record, code, error, attempts, state }) => [
    record.time.slice(0, 23),
    `[${record.partition}]@${record.offset}`,
    record.key,
    state ?? 'without a name',
    `${code}: ${printable(error)}`,
    attempts,
  ])
  return [
    ...table(['topic', 'group', 'code', 'letters', 'open', 'last'], rows, paint),
    '',
    ...table(['time', 'where', 'key', 'now', 'why', 'attempts'], letters, paint),
    ...(complete ? [] : ['', 'There are more than were looked at.']),
  ]
}
