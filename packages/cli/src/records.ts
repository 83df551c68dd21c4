import {
  KlatschError,
  type LogPosition,
  POSITIONS,
  type RecordFilter,
  readPosition,
  recordMatches,
  topics,
} from '@klatsch/contracts'
import { type IncomingRecord, readRange } from '@klatsch/event-bus'
import { asJson, asLine, painter } from './format.ts'
import { outputTo } from './output.ts'
import { CliError, kafkaOf } from './stack.ts'

export interface RecordOptions extends RecordFilter {
  readonly from?: string
  readonly to?: string
  readonly partition?: string
  readonly limit?: string
  readonly json?: boolean
  /** A file for them, as JSON lines. */
  readonly out?: string
}

function positionOf(option: string, word: string): LogPosition {
  const position = readPosition(word, Date.now())
  if (!position) {
    throw new CliError(`${option} "${word}" is no position. Say ${POSITIONS}.`)
  }
  return position
}

function wholeNumber(option: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined
  if (!/^\d{1,9}$/.test(word)) throw new CliError(`${option} "${word}" is not a whole number.`)
  return Number(word)
}

/** Prints records of topics: those there are (`follow: false`), or those and all that come, until interrupted. */
export async function printRecords(
  chosen: readonly string[],
  options: RecordOptions & { readonly follow: boolean },
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const limit = wholeNumber('--limit', options.limit)
  const partition = wholeNumber('--partition', options.partition)
  const paint = painter(process.stdout, env)
  const enough = new AbortController()
  const output = outputTo(options.out, () => enough.abort())
  const asJsonLine = options.json || options.out !== undefined
  let shown = 0
  let seen = 0
  const show = (record: IncomingRecord) => {
    seen += 1
    if ((limit !== undefined && shown >= limit) || !recordMatches(record, options)) return
    shown += 1
    output.line(asJsonLine ? asJson(record) : asLine(record, paint))
    if (shown === limit) enough.abort()
  }
  // All there are: some may not have been made yet.
  const named = chosen.length > 0
  const wanted = named ? chosen : Object.values(topics).map((topic) => topic.name)
  const absent = (error: unknown) => {
    if (named || !(error instanceof KlatschError && error.code === 'request.not_found')) throw error
  }
  await Promise.all(
    wanted.map((topic) =>
      readRange(
        kafkaOf(env),
        {
          topic,
          ...(partition === undefined ? {} : { partition }),
          from: positionOf('--from', options.from ?? (options.follow ? 'end' : 'begin')),
          ...(options.to === undefined ? {} : { to: positionOf('--to', options.to) }),
          follow: options.follow,
          signal: AbortSignal.any([signal, enough.signal]),
        },
        show,
      ).catch(absent),
    ),
  )
  await output.close()
  if (!options.follow && process.stderr.isTTY) process.stderr.write(`${shown} of ${seen} records\n`)
}
