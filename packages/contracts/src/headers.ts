/**
 * Headers of records, so that nothing that only passes an event on must parse it. All are text.
 * `traceparent` (W3C Trace Context) goes through both topics to the delivery.
 */
export const headers = {
  type: 'ce_type',
  seq: 'seq',
  prevchain: 'prevchain',
  chain: 'chain',
  causationId: 'causationid',
  actor: 'actor',
  /** Of an event: when it happened, as in its body. */
  time: 'ce_time',
  /** Of a message: its number in the room, as in its data. */
  messageNo: 'messageno',
  /** The gateway instance that waits for the outcome. */
  replyTo: 'replyto',
  /** Which of its requests that is: each record of a command has one, repetitions too. Copied to event and reply. */
  requestId: 'requestid',
  session: 'session',
  traceparent: 'traceparent',
  contentType: 'content-type',
  /** Of a state on `presence.events`: the offset of the signal that brought it about. */
  version: 'version',
  state: 'state',
  /** Of a state: the gateway that counts this person in rooms. */
  home: 'home',
  /** Of a command sent again out of the dead letters: `<partition>@<offset>` there. It may end its outcome "held". */
  redrive: 'redrive',
  /** Of a copy that the laboratory made: `<topic>[<partition>]@<offset>` of the record it is of. */
  replayOf: 'replayof',
  /** Of a record whose key is not its subject. */
  subject: 'ce_subject',
} as const

export const CLOUDEVENTS_JSON = 'application/cloudevents+json'

/** Headers of a dead letter: where the record came from and why it is here. Times are RFC 3339. */
export const deadLetterHeaders = {
  topic: 'dlq.topic',
  partition: 'dlq.partition',
  offset: 'dlq.offset',
  group: 'dlq.group',
  code: 'dlq.code',
  error: 'dlq.error',
  attempts: 'dlq.attempts',
  firstFailedAt: 'dlq.first-failed-at',
  lastFailedAt: 'dlq.last-failed-at',
} as const
