import {
  CLOUDEVENTS_JSON,
  createdRoomSubject,
  headers,
  isPublicCommandType,
  KlatschError,
  parseCommandData,
  topics,
  userSubject,
} from '@klatsch/contracts'
import type { Publisher } from '@klatsch/event-bus'
import { type AuthenticatedUser, failSpan, SpanKind, startSpan, traceparentOf } from '@klatsch/service-kit'
import type { Outcome, Requests } from './requests.ts'

export interface NewCommand {
  readonly id: string
  readonly type: string
  readonly subject: string | undefined
  readonly after: string | undefined
  readonly data: unknown
  readonly user: AuthenticatedUser
}

export interface Commands {
  /**
   * Puts a command on the log and calls `answer` once with its outcome, in 10 s at most. Answers the stream it goes to.
   * @throws KlatschError when it has not the form of a command; then it never had an outcome.
   */
  submit(command: NewCommand, answer: (outcome: Outcome) => void): string
}

/** Every write of a person, by socket or by HTTP, becomes a record on `chat.commands` here. */
export function createCommands(options: {
  publisher: Publisher
  requests: Requests
  instance: string
  now: () => number
}): Commands {
  const { publisher, requests, instance } = options
  return {
    submit(command, answer) {
      if (!isPublicCommandType(command.type)) {
        throw new KlatschError('command.unknown', `no command is called ${command.type.slice(0, 80)}`)
      }
      const actor = userSubject(command.user.id)
      const created = command.type === 'chat.room.create.v1'
      if (created && command.subject !== undefined) {
        throw new KlatschError('command.invalid', 'subject: a new room is named by the server')
      }
      if (!created && command.subject === undefined)
        throw new KlatschError('command.invalid', 'subject is needed')
      const subject = command.subject ?? createdRoomSubject(actor, command.id)
      const parsed = parseCommandData(command.type, subject, command.data)
      if (!parsed.ok) throw new KlatschError(parsed.code, parsed.detail)

      const span = startSpan(`send ${topics.commands.name}`, SpanKind.PRODUCER, undefined, {
        'messaging.system': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.destination.name': topics.commands.name,
        'messaging.message.id': command.id,
      })
      const requestId = requests.open(actor, command.id, (outcome) => {
        if (outcome.state === 'unknown') failSpan(span, new KlatschError(outcome.code))
        else span.end()
        answer(outcome)
      })
      if (requestId === undefined) throw new KlatschError('server.overloaded')
      const traceparent = traceparentOf(span)
      const record = {
        topic: topics.commands.name,
        key: subject,
        value: JSON.stringify({
          specversion: '1.0',
          id: command.id,
          source: `gateway/${instance}`,
          type: command.type,
          subject,
          time: new Date(options.now()).toISOString(),
          datacontenttype: 'application/json',
          actor,
          ...(command.user.guest ? { guest: true } : {}),
          ...(command.after === undefined ? {} : { after: command.after }),
          data: parsed.data,
        }),
        headers: {
          [headers.contentType]: CLOUDEVENTS_JSON,
          [headers.type]: command.type,
          [headers.actor]: actor,
          [headers.replyTo]: instance,
          [headers.requestId]: requestId,
          [headers.session]: command.user.session,
          ...(traceparent === undefined ? {} : { [headers.traceparent]: traceparent }),
        },
      }
      publisher.publish([record]).then(
        () => requests.appended(requestId),
        (error: unknown) =>
          requests.fail(requestId, error instanceof KlatschError ? error.code : 'server.unavailable'),
      )
      return subject
    },
  }
}
