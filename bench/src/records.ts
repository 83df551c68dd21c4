import {
  CLOUDEVENTS_JSON,
  type CommandInput,
  headers,
  type PublicCommandType,
  partitionOf,
  topics,
} from '@klatsch/contracts'
import type { Message, Producer } from 'kafkajs'

/** A record of chat.commands as a gateway writes it. `replyTo`: the gateway that waits for the outcome. */
export function commandMessage<T extends PublicCommandType>(
  command: {
    readonly id: string
    readonly type: T
    readonly subject: string
    readonly actor: string
    readonly data: CommandInput<T>
  },
  replyTo?: string,
): Message & { key: string; value: string } {
  const { id, type, subject, actor, data } = command
  return {
    key: subject,
    value: JSON.stringify({
      specversion: '1.0',
      id,
      source: 'gateway/bench',
      type,
      subject,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      actor,
      data,
    }),
    headers: {
      [headers.contentType]: CLOUDEVENTS_JSON,
      [headers.type]: type,
      [headers.actor]: actor,
      ...(replyTo === undefined ? {} : { [headers.replyTo]: replyTo, [headers.requestId]: id }),
    },
    partition: partitionOf(subject, topics.commands.partitions),
  }
}

/** Sends many in runs of a bearable length, one after the other. */
export async function sendAll(
  producer: Producer,
  topic: string,
  messages: readonly Message[],
): Promise<void> {
  const RUN = 1_000
  for (let at = 0; at < messages.length; at += RUN) {
    await producer.send({ topic, messages: messages.slice(at, at + RUN), acks: -1 })
  }
}
