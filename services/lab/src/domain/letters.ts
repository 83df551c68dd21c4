import {
  actorSchema,
  deadLetterHeaders,
  type LabDlq,
  type LabLetter,
  type OutcomesAnswer,
  uuidSchema,
} from '@klatsch/contracts'
import { bodyOf, type LogRecord, shown, textOf } from './record.ts'

type Name = { readonly actor: string; readonly id: string }
type States = ReadonlyMap<string, OutcomesAnswer['outcomes'][number]['state']>

export const nameKey = ({ actor, id }: Name): string => `${actor} ${id}`

/** The permanent name of the command in a record, where it has one. */
export function commandNameOf(record: LogRecord): Name | undefined {
  const body = bodyOf(record)
  const actor = textOf(body, 'actor')
  const id = textOf(body, 'id')
  const isName = actorSchema.safeParse(actor).success && uuidSchema.safeParse(id).success
  return isName ? { actor: actor!, id: id! } : undefined
}

export function letterOf(record: LogRecord, states: States): LabLetter {
  const header = (name: keyof typeof deadLetterHeaders) => record.headers[deadLetterHeaders[name]] ?? ''
  const name = commandNameOf(record)
  return {
    record: shown(record),
    origin: {
      topic: header('topic'),
      partition: header('partition'),
      offset: header('offset'),
      group: header('group'),
    },
    code: header('code'),
    error: header('error'),
    attempts: header('attempts'),
    firstFailedAt: header('firstFailedAt'),
    lastFailedAt: header('lastFailedAt'),
    ...(name ? { state: states.get(nameKey(name)) ?? 'unknown' } : {}),
  }
}

/** Letters by topic, group and code, the most frequent first. */
export function kindsOf(letters: readonly LabLetter[]): LabDlq['kinds'] {
  const groups = Map.groupBy(letters, ({ record, origin, code }) =>
    [record.topic, origin.group, code].join('\n'),
  )
  return [...groups.values()]
    .map((same) => {
      const { record, origin, code } = same[0]!
      const times = same.map((letter) => letter.record.time).sort()
      return {
        topic: record.topic,
        group: origin.group,
        code,
        count: same.length,
        open: same.filter(isOpen).length,
        first: times[0]!,
        last: times.at(-1)!,
      }
    })
    .sort((a, b) => b.count - a.count)
}

const isOpen = ({ state }: LabLetter): boolean => state === undefined || state === 'held'
