// Commands as gateways put them on the log, for tests.
import {
  type CommandInput,
  type CommandType,
  createdRoomSubject,
  headers,
  partitionOf,
  topics,
  userSubject,
} from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'
import { v5, v7 } from 'uuid'

const NAMESPACE = '0d3c5d1e-7c7b-4c70-9f6c-6d5b0a1f2e3d'

/** The same name gives the same user. */
export const userId = (name: string): string => v5(name, NAMESPACE)
export const actor = (name: string): string => userSubject(userId(name))

export interface CommandOptions {
  readonly id?: string
  readonly after?: string
  readonly guest?: boolean
  readonly replyTo?: string
  readonly requestId?: string
  readonly traceparent?: string
  /** Out of the dead letters. */
  readonly redrive?: boolean
}

export interface TestCommand {
  readonly id: string
  readonly subject: string
  readonly record: IncomingRecord
}

let offset = 0

export function rawRecord(
  key: string,
  value: string | Buffer,
  headers: Record<string, string> = {},
): IncomingRecord {
  return {
    topic: topics.commands.name,
    partition: partitionOf(key, topics.commands.partitions),
    offset: String(offset++),
    key,
    value: Buffer.from(value),
    headers,
    timestamp: 0,
  }
}

/** `by`: the name of a user, or a whole actor. `subject` of a creation is derived. */
export function command<T extends CommandType>(
  by: string,
  type: T,
  subject: string | undefined,
  data: CommandInput<T>,
  options: CommandOptions = {},
): TestCommand {
  const id = options.id ?? v7()
  const who = by.includes(':') ? by : actor(by)
  const stream = subject ?? createdRoomSubject(who, id)
  const envelope = {
    specversion: '1.0',
    id,
    source: 'gateway/test',
    type,
    subject: stream,
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    actor: who,
    ...(options.guest ? { guest: true } : {}),
    ...(options.after === undefined ? {} : { after: options.after }),
    data,
  }
  const given = {
    ...(options.replyTo === undefined ? {} : { [headers.replyTo]: options.replyTo }),
    ...(options.requestId === undefined ? {} : { [headers.requestId]: options.requestId }),
    ...(options.redrive ? { [headers.redrive]: '0@0' } : {}),
    ...(options.traceparent === undefined ? {} : { [headers.traceparent]: options.traceparent }),
  }
  return { id, subject: stream, record: rawRecord(stream, JSON.stringify(envelope), given) }
}

type By = [by: string, options?: CommandOptions]

export const create = (...[by, options]: By) =>
  command(by, 'chat.room.create.v1', undefined, { name: 'Kitchen' }, options)
export const createPrivate = (...[by, options]: By) =>
  command(by, 'chat.room.create.v1', undefined, { name: 'Cellar', visibility: 'private' }, options)
export const join = (room: string, ...[by, options]: By) =>
  command(by, 'chat.room.join.v1', room, {}, options)
export const leave = (room: string, ...[by, options]: By) =>
  command(by, 'chat.room.leave.v1', room, {}, options)
export const rename = (room: string, name: string, ...[by, options]: By) =>
  command(by, 'chat.room.rename.v1', room, { name }, options)
export const send = (room: string, text: string, ...[by, options]: By) =>
  command(by, 'chat.message.send.v1', room, { text }, options)
