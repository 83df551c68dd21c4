import { headers, KlatschError, type Reply, type StreamEvent, topics } from '@klatsch/contracts'
import type { OutgoingRecord, Publisher } from '@klatsch/event-bus'

/** A log that remembers what was appended. `failNext`: so many publishes are refused, after or before appending. */
export interface RecordingPublisher extends Publisher {
  readonly records: OutgoingRecord[]
  failing: 'no' | 'refused' | 'answer lost'
}

export function recordingPublisher(): RecordingPublisher {
  const records: OutgoingRecord[] = []
  return {
    records,
    failing: 'no',
    queued: 0,
    async publish(given) {
      if (this.failing !== 'refused') records.push(...given)
      if (this.failing !== 'no') throw new KlatschError('server.unavailable')
    },
    async close() {},
  }
}

const of = (records: readonly OutgoingRecord[], topic: string) =>
  records.filter((record) => record.topic === topic)

export const eventsOf = (records: readonly OutgoingRecord[]): StreamEvent[] =>
  of(records, topics.events.name).map((record) => JSON.parse(String(record.value)) as StreamEvent)
export const followUpsOf = (records: readonly OutgoingRecord[]) => of(records, topics.commands.name)

export interface SentReply extends Reply {
  readonly to: string
  readonly requestId: string | undefined
}
export const repliesOf = (records: readonly OutgoingRecord[]): SentReply[] =>
  of(records, topics.replies.name).map((record) => ({
    ...(JSON.parse(String(record.value)) as Reply),
    to: record.key,
    requestId: record.headers[headers.requestId],
  }))
