import {
  type LabJob,
  type LabJobAnswer,
  labJobAnswerSchema,
  labJobSchema,
  type RecordFilter,
} from '@klatsch/contracts'
import { asRow, type Painter } from './format.ts'
import type { Laboratory } from './laboratory.ts'
import type { Said } from './look.ts'
import { CliError } from './stack.ts'

const POLL_MS = 300

export interface RedriveOptions {
  readonly code?: string
  readonly key?: string
  readonly at?: string
  readonly limit?: string
  readonly rate: string
  readonly dryRun?: boolean
}

export interface ReplayOptions extends RecordFilter {
  readonly into: string
  readonly rate: string
  readonly dryRun?: boolean
  readonly from?: string
  readonly to?: string
  readonly partition?: string
  readonly limit?: string
}

/** Sends held commands again, and waits for the end of it; an interruption stops it. */
export function redrive(lab: Laboratory, options: RedriveOptions, paint: Painter, signal: AbortSignal) {
  const { code, key, at, limit, rate, dryRun } = options
  const body = {
    code,
    key,
    at: placeOf(at),
    limit: whole('--limit', limit),
    perSecond: whole('--rate', rate),
    dryRun,
  }
  return resend(lab, '/dlq/redrive', body, 'held commands', paint, signal)
}

/** Copies records into another topic, and waits for the end of it; an interruption stops it. */
export function replayInto(
  lab: Laboratory,
  topic: string,
  options: ReplayOptions,
  paint: Painter,
  signal: AbortSignal,
) {
  const { into: target, rate, dryRun, from, to, key, type, actor, room, text } = options
  const partition = whole('--partition', options.partition)
  const limit = whole('--limit', options.limit)
  const filter = { key, type, actor, room, text, partition, limit }
  const body = { topic, target, from, to, ...filter, perSecond: whole('--rate', rate), dryRun }
  return resend(lab, '/replay', body, 'records', paint, signal)
}

/** Stops a job; what is sent stays sent. */
export async function stopJob(lab: Laboratory, id: string): Promise<Said> {
  const job = await lab.remove(`/jobs/${encodeURIComponent(id)}`, labJobSchema)
  return { lines: [endOf(job)], json: job }
}

async function resend(
  lab: Laboratory,
  path: string,
  body: object,
  what: string,
  paint: Painter,
  signal: AbortSignal,
): Promise<Said> {
  const answer = await lab.post(path, body, labJobAnswerSchema)
  const { count, items, next } = answer
  const some = items.map((record) => `  ${asRow(record, paint)}`)
  const more = count > items.length ? [`  and ${count - items.length} more`] : []
  const goOn = next === undefined ? [] : [`There is more than fits at once: go on with --from "${next}".`]
  if (!answer.job) {
    const would = count === 0 ? `There are no ${what} to send.` : `${count} ${what} would be sent:`
    return { lines: [would, ...some, ...more, ...goOn], json: answer }
  }
  const job = await untilOver(lab, answer.job, signal)
  const json: LabJobAnswer = { ...answer, job }
  return { lines: [...some, ...more, ...goOn, endOf(job)], json, ok: job.state === 'done' }
}

async function untilOver(lab: Laboratory, begun: LabJob, signal: AbortSignal): Promise<LabJob> {
  let job = begun
  while (job.state === 'running') {
    if (signal.aborted) return lab.remove(`/jobs/${job.id}`, labJobSchema)
    if (process.stderr.isTTY) process.stderr.write(`\r${job.done} of ${job.total}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    if (!signal.aborted) job = await lab.get(`/jobs/${job.id}`, {}, labJobSchema)
  }
  if (process.stderr.isTTY) process.stderr.write('\r')
  return job
}

const endOf = ({ id, what, state, done, total, reason }: LabJob): string =>
  `${what} ${id}: ${state}, ${done} of ${total} sent${reason === undefined ? '' : `: ${reason}`}`

function whole(option: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined
  if (!/^\d{1,9}$/.test(word)) throw new CliError(`${option} "${word}" is not a whole number.`)
  return Number(word)
}

/** `3@15`, or `[3]@15` as it is shown. */
function placeOf(word: string | undefined): { partition: number; offset: string } | undefined {
  if (word === undefined) return undefined
  const match = /^\[?(\d{1,5})\]?@(\d{1,19})$/.exec(word)
  if (!match) throw new CliError(`--at "${word}" is no place. Say partition@offset, such as 3@15.`)
  return { partition: Number(match[1]), offset: match[2]! }
}
