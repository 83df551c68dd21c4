import {
  KlatschError,
  type LabJobAnswer,
  type LogPosition,
  type RedriveBody,
  type ReplayBody,
  readPosition,
  recordMatches,
  topics,
  writeOffsets,
} from '@klatsch/contracts'
import { shown } from '../domain/record.ts'
import { redrivable, redriven, replayed } from '../domain/redrive.ts'
import type { Actor, Audit } from '../outbound/audit.ts'
import type { ReadTopic } from '../outbound/topic-reader.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Jobs } from './jobs.ts'

const SHOWN = 20
const MAX_SCANNED = 1_000_000
const MAX_BYTES = 128 * 1024 * 1024

export interface Resend {
  redrive(body: RedriveBody, by: Actor): Promise<LabJobAnswer>
  replay(body: ReplayBody, by: Actor): Promise<LabJobAnswer>
}

/** Records sent again: held commands through chat, and any range into a topic that is nobody's. */
export function resender(options: {
  readonly deadLetters: DeadLetters
  readonly read: ReadTopic
  readonly jobs: Jobs
  readonly audit: Audit
  readonly now: () => number
  /** Makes the topic, with as many partitions as that one has, where it is not there yet. */
  readonly makeTopic: (name: string, like: string) => Promise<void>
}): Resend {
  const { deadLetters, read, jobs, audit, now } = options

  function positionOf(word: string): LogPosition {
    const position = readPosition(word, now())
    if (!position) throw new KlatschError('request.invalid', `${word.slice(0, 50)} is no position`)
    return position
  }

  return {
    async redrive({ code, key, at, limit, perSecond, dryRun }, by) {
      const topic = topics.commandsDlq.name
      const { letters } = await deadLetters.letters({ topic, code, key })
      const asked = at
        ? letters.filter(({ record }) => record.partition === at.partition && record.offset === at.offset)
        : letters
      const meant = redrivable(asked, limit)
      const answer = {
        count: meant.length,
        skipped: asked.length - meant.length,
        items: meant.slice(0, SHOWN).map(shown),
      }
      if (dryRun || meant.length === 0) return answer
      await audit.write(by, 'dlq.redrive', { code, key, at, count: meant.length })
      return { ...answer, job: jobs.start('redrive', meant.map(redriven), perSecond, by) }
    },

    async replay({ topic, from, to, partition, limit, target, perSecond, dryRun, ...filter }, by) {
      const found = await read({
        topic,
        partition,
        from: positionOf(from),
        to: to === undefined ? undefined : positionOf(to),
        matches: (record) => recordMatches(record, filter),
        limit,
        which: 'first',
        maxScanned: MAX_SCANNED,
        maxBytes: MAX_BYTES,
      })
      const { records, next } = found
      const answer = {
        count: records.length,
        skipped: found.scanned - records.length,
        items: records.slice(0, SHOWN).map(shown),
        ...(next === undefined ? {} : { next: writeOffsets(next) }),
      }
      if (dryRun || records.length === 0) return answer
      await audit.write(by, 'replay', {
        topic,
        from,
        to,
        partition,
        ...filter,
        target,
        count: records.length,
      })
      await options.makeTopic(target, topic)
      const copies = records.map((record) => replayed(record, target))
      return { ...answer, job: jobs.start('replay', copies, perSecond, by) }
    },
  }
}
