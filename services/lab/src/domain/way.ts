import {
  type Attempt,
  attemptSchema,
  type CommandRowsAnswer,
  deadLetterHeaders,
  headers,
  type LabFollow,
  type LabStep,
  type OutcomesAnswer,
  topics,
} from '@klatsch/contracts'
import { bodyOf, inTime, type LogRecord, textOf, timeOf } from './record.ts'

type Outcome = OutcomesAnswer['outcomes'][number]
type Kind = LabStep['kind']

/** What a record has to do with a command; undefined: nothing. */
export interface Trace {
  readonly record: LogRecord
  readonly kind: Kind
  readonly body: unknown
}

/** Whether the record is this command, or came of it. */
export function traceOf(record: LogRecord, id: string): Trace | undefined {
  if (record.headers[headers.causationId] !== id && !record.value.includes(id)) return undefined
  const body = bodyOf(record)
  const isIt = textOf(body, 'id') === id
  const causedByIt = record.headers[headers.causationId] === id
  const correlated = textOf(body, 'correlationid') === id
  const kind = ((): Kind | undefined => {
    switch (record.topic) {
      case topics.commands.name:
        return isIt ? 'command' : correlated ? 'follow-up' : undefined
      case topics.events.name:
        return causedByIt ? 'event' : correlated ? 'follow-up-event' : undefined
      case topics.replies.name:
        return causedByIt ? 'reply' : undefined
      case topics.commandsDlq.name:
        return isIt ? 'dead-letter' : undefined
      default:
        return undefined
    }
  })()
  return kind === undefined ? undefined : { record, kind, body }
}

/** The command of which something came, and when that was, in milliseconds since the epoch. */
export interface Origin {
  readonly id: string
  readonly at: number
  /** Absent where it is the command itself that was asked for. */
  readonly askedFor?: NonNullable<LabFollow['askedFor']>
}

/** Whether the record is the command, the follow-up or the event of this id; and if so, of which command it came. */
export function originOf(record: LogRecord, id: string): Origin | undefined {
  if (!record.value.includes(id)) return undefined
  const body = bodyOf(record)
  if (textOf(body, 'id') !== id) return undefined
  const first = textOf(body, 'correlationid') ?? id
  const at = record.timestamp
  if (first === id) return { id, at }
  const kind = record.topic === topics.events.name ? 'event' : 'follow-up'
  const what = whatOf(kind, record, body)
  return { id: first, at, askedFor: { id, kind, what, record: placeOf(record) } }
}

/** What went wrong with one of the command's records, if that is what this tells. */
export function attemptOn(record: LogRecord, commands: readonly Trace[]): Trace | undefined {
  const body = bodyOf(record)
  const attempt = attemptSchema.safeParse(body)
  if (!attempt.success || attempt.data.kind === 'dropped') return undefined
  const { topic, partition, offset, records } = attempt.data
  const first = BigInt(offset)
  const concerns = commands.some(
    ({ record: own }) =>
      own.topic === topic &&
      own.partition === partition &&
      BigInt(own.offset) >= first &&
      BigInt(own.offset) < first + BigInt(records),
  )
  return concerns ? { record, kind: 'attempt', body } : undefined
}

/** Who sent it, by the records; several people may have used the same id. */
export function actorsOf(traces: readonly Trace[]): string[] {
  const actors = traces
    .filter(({ kind }) => !isBeside(kind))
    .flatMap(({ record, body }) => textOf(body, 'actor') ?? record.headers[headers.actor] ?? [])
  return [...new Set(actors)]
}

/** A command's way, put together from what was found of it on the log and in Postgres. */
export function wayOf(found: {
  readonly id: string
  readonly actor: string
  readonly traces: readonly Trace[]
  readonly outcome: Outcome | undefined
  readonly rows: CommandRowsAnswer['rows']
  readonly complete: boolean
  readonly askedFor?: LabFollow['askedFor']
}): LabFollow {
  const { id, actor, outcome, rows, complete, askedFor } = found
  const traces = found.traces
    .filter(({ kind, record, body }) => isOf(actor, kind, record, body))
    .toSorted((a, b) => inTime(a.record, b.record))
  const steps = traces.map(stepOf)
  if (outcome) steps.push(decided(outcome))
  steps.sort((a, b) => Date.parse(a.time) - Date.parse(b.time))
  const begin = Date.parse(steps[0]?.time ?? '')
  const traceIds = traces.flatMap(({ record }) => record.headers[headers.traceparent]?.split('-')[1] ?? [])
  const command = traces.find(({ kind }) => kind === 'command')
  const subject = outcome?.subject ?? command?.record.key
  const type = command?.record.headers[headers.type]
  return {
    id,
    ...(askedFor && { askedFor }),
    actor,
    ...(subject === undefined ? {} : { subject }),
    ...(type === undefined ? {} : { type }),
    traceIds: [...new Set(traceIds)],
    state: outcome?.state ?? 'unknown',
    ...(outcome?.code === undefined ? {} : { code: outcome.code }),
    steps: steps.map((step) => ({ ...step, afterMs: Date.parse(step.time) - begin })),
    rows,
    complete,
  }
}

/** Not by the actor, but because of the command. */
const isBeside = (kind: Kind): boolean =>
  kind === 'follow-up' || kind === 'follow-up-event' || kind === 'attempt'

function isOf(actor: string, kind: Kind, record: LogRecord, body: unknown): boolean {
  if (isBeside(kind)) return true
  return (textOf(body, 'actor') ?? record.headers[headers.actor]) === actor
}

const placeOf = ({ topic, partition, offset, key }: LogRecord) => ({ topic, partition, offset, key })

function stepOf({ record, kind, body }: Trace): LabStep {
  return {
    kind,
    time: timeOf(record.timestamp),
    afterMs: 0,
    record: placeOf(record),
    what: whatOf(kind, record, body),
    by: byOf(kind, record, body),
  }
}

function whatOf(kind: Kind, record: LogRecord, body: unknown): string {
  const type = record.headers[headers.type] ?? textOf(body, 'type') ?? ''
  switch (kind) {
    case 'command':
    case 'follow-up':
      return type
    case 'event':
    case 'follow-up-event':
      return `${type} #${record.headers[headers.seq]}`
    case 'reply':
      return [textOf(body, 'state'), textOf(body, 'code')].filter(Boolean).join(': ')
    case 'dead-letter':
      return `${record.headers[deadLetterHeaders.code]}: ${record.headers[deadLetterHeaders.error]}`
    case 'attempt':
      return attemptInWords(body as Exclude<Attempt, { kind: 'dropped' }>)
    case 'decided':
      return ''
  }
}

function attemptInWords(attempt: Exclude<Attempt, { kind: 'dropped' }>): string {
  const { kind, policy, attempt: n, records } = attempt
  const why = 'code' in attempt && attempt.code !== undefined ? `: ${attempt.code}` : ''
  const next =
    'delayMs' in attempt && attempt.delayMs !== undefined ? `, again after ${attempt.delayMs} ms` : ''
  const together = records === 1 ? '' : ` with ${records - 1} more`
  return `${kind} at attempt ${n}${together} (${policy})${why}${next}`
}

function byOf(kind: Kind, record: LogRecord, body: unknown): string {
  if (kind === 'reply') return `chat, to ${record.key}`
  if (kind === 'attempt') return textOf(body, 'group') ?? ''
  if (kind === 'dead-letter') return record.headers[deadLetterHeaders.group] ?? ''
  return textOf(body, 'source') ?? ''
}

function decided({ state, seq, code, detail, time }: Outcome): LabStep {
  const why = [code, detail].filter(Boolean).join(': ')
  const what =
    state === 'accepted' ? `accepted at #${seq}` : state === 'held' || why === '' ? state : `${state}, ${why}`
  return { kind: 'decided', time, afterMs: 0, table: 'command_outcomes', what, by: 'chat' }
}
