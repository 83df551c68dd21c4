import { KlatschError, type LabFollow, topics } from '@klatsch/contracts'
import type { LogRecord } from '../domain/record.ts'
import { actorsOf, attemptOn, type Origin, originOf, type Trace, traceOf, wayOf } from '../domain/way.ts'
import type { ChatQueries } from '../outbound/chat-queries.ts'
import type { ReadTopic } from '../outbound/topic-reader.ts'

const MINUTE_MS = 60_000
/** How wrong the clock of a client may be that made the id, and how long an outcome may take to be looked for at once. */
const BEFORE_MS = 5 * MINUTE_MS
const AFTER_MS = 10 * MINUTE_MS
/** What tells no time is looked for among the latest records first: so far back, one stretch after the other. */
const BACK_MS = [10 * MINUTE_MS, 120 * MINUTE_MS, 7 * 24 * 60 * MINUTE_MS]
const bounds = { limit: 500, which: 'first', maxScanned: 200_000, maxBytes: 8 * 1024 * 1024 } as const

interface Period {
  readonly from: number
  readonly to: number
}

export type Follow = (id: string, actor: string | undefined) => Promise<LabFollow>

/**
 * Looks for a command where it must have been: on the log around the time that its id tells, and in chat's tables. Given the id of an
 * event or of a follow-up, which tells no time, it finds that on the log, and follows the command that it came of.
 */
export function follower(read: ReadTopic, chat: ChatQueries, now: () => number): Follow {
  async function look(topic: string, { from, to }: Period, traced: (record: LogRecord) => Trace | undefined) {
    const traces: Trace[] = []
    const found = await read({
      ...bounds,
      topic,
      from: { kind: 'time', time: from },
      to: { kind: 'time', time: to },
      matches(record: LogRecord) {
        const trace = traced(record)
        if (trace) traces.push(trace)
        return trace !== undefined
      },
    })
    return { traces, complete: found.next === undefined }
  }

  /** Dead letters may come much later; there are few. */
  async function lookIn(id: string, period: Period) {
    const { commands, events, replies, commandsDlq } = topics
    const trace = (record: LogRecord) => traceOf(record, id)
    const found = await Promise.all([
      ...[commands, events, replies].map(({ name }) => look(name, period, trace)),
      look(commandsDlq.name, { from: period.from, to: Number.MAX_SAFE_INTEGER }, trace),
    ])
    const traces = found.flatMap((each) => each.traces)
    const own = traces.filter(({ kind }) => kind === 'command')
    const attempts = await look(topics.attempts.name, period, (record) => attemptOn(record, own))
    return {
      traces: [...traces, ...attempts.traces],
      complete: [...found, attempts].every(({ complete }) => complete),
    }
  }

  /** The latest of it: a record may be there more than once. */
  async function search(id: string): Promise<Origin> {
    let to = now() + BEFORE_MS
    for (const backMs of BACK_MS) {
      const from = { kind: 'time', time: now() - backMs } as const
      for (const { name } of [topics.events, topics.commands]) {
        const matches = (record: LogRecord) => originOf(record, id) !== undefined
        const stretch = { from, to: { kind: 'time', time: to } as const }
        const { records } = await read({ ...bounds, limit: 1, topic: name, ...stretch, matches })
        const origin = records[0] && originOf(records[0], id)
        if (origin) return origin
      }
      to = now() - backMs
    }
    throw new KlatschError(
      'request.not_found',
      'no command, follow-up or event of this id was found on the log; an id that is no UUIDv7 does not tell when it was made, so only the latest records were looked through',
    )
  }

  return async (asked, actor) => {
    const known = timeOfUuid7(asked)
    const { id, at, askedFor }: Origin = known === undefined ? await search(asked) : { id: asked, at: known }
    const made = timeOfUuid7(id) ?? at
    let { traces, complete } = await lookIn(id, { from: made - BEFORE_MS, to: made + AFTER_MS })
    const who = actor ?? actorsOf(traces)[0]
    if (who === undefined) {
      throw new KlatschError(
        'request.not_found',
        'no such command is on the log around the time its id tells',
      )
    }
    const [outcome] = await chat.outcomes([{ actor: who, id }])
    if (outcome && Date.parse(outcome.time) > made + AFTER_MS) {
      const decided = Date.parse(outcome.time)
      const later = await lookIn(id, {
        from: Math.max(made + AFTER_MS, decided - MINUTE_MS),
        to: decided + AFTER_MS,
      })
      traces = [...traces, ...later.traces.filter((trace) => !isAmong(traces, trace))]
      complete &&= later.complete
    }
    const rows = outcome ? await chat.rows({ actor: who, id }) : []
    return wayOf({ id, askedFor, actor: who, traces, outcome, rows, complete })
  }
}

const isAmong = (traces: readonly Trace[], { record: { topic, partition, offset } }: Trace): boolean =>
  traces.some(
    ({ record }) => record.topic === topic && record.partition === partition && record.offset === offset,
  )

/** When a UUIDv7 was made, in milliseconds since the epoch; undefined for other kinds. */
function timeOfUuid7(id: string): number | undefined {
  return id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined
}
