import { type Bugs, partitionOf } from '@klatsch/contracts'

export interface Message {
  readonly key: string
  readonly value: string | Buffer
  readonly headers: Readonly<Record<string, string>>
  /** Chosen by the transport at the first attempt and kept for the others. */
  partition?: number
}

/** Records of one request. Tried again, it is the very same object: the broker's own deduplication rests on that. */
export interface Batch {
  readonly topics: readonly { readonly topic: string; readonly messages: Message[] }[]
  readonly records: number
}

/** `passing`: try the same again. `identity`: renew first. `record`: a record is refused, for good. */
export class SendFault extends Error {
  override readonly name = 'SendFault'
  readonly kind: 'passing' | 'identity' | 'record'
  readonly tooLarge: boolean

  constructor(kind: 'passing' | 'identity' | 'record', cause: unknown, tooLarge = false) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.kind = kind
    this.tooLarge = tooLarge
  }
}

export interface Transport {
  /** Rejects with `server.unavailable` when there is no such topic. Asked once a topic. */
  checkTopic(topic: string): Promise<void>
  /** Appends all records of the batch, in order, or rejects with a `SendFault`. */
  send(batch: Batch): Promise<void>
  /** A fresh producer identity: what was sent before can be deduplicated no more. */
  renew(): Promise<void>
  close(): Promise<void>
}

/** Chooses the partition of a message among so many, once. */
export type Partitioner = (message: Message, partitions: number) => number

export function partitioner(random: () => number, bugs: Bugs): Partitioner {
  const choose = bugs.has('key-order-off')
    ? (_key: string, partitions: number) => Math.floor(random() * partitions)
    : partitionOf
  return (message, partitions) => {
    message.partition ??= choose(message.key, partitions)
    return message.partition
  }
}
