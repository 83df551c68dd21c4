/** One topic: who writes it, who reads it, what its key is, and how long it is kept. */
export interface Topic {
  readonly name: string
  readonly key: string
  readonly producers: readonly string[]
  readonly consumers: readonly string[]
  /** Never changes within a generation: order within a key rests on it. */
  readonly partitions: number
  /** `compacted`: the latest record of each key is kept for ever. */
  readonly retentionMs: number | 'compacted'
  readonly describe: string
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Every topic there is; topics are created from this list and nowhere else. */
export const topics = {
  commands: {
    name: 'chat.commands',
    key: 'stream',
    producers: ['gateway', 'chat'],
    consumers: ['chat'],
    partitions: 12,
    retentionMs: 7 * DAY,
    describe: 'Every wish to change something, one record per command.',
  },
  events: {
    name: 'chat.events',
    key: 'stream',
    producers: ['chat'],
    consumers: ['gateway', 'lab'],
    partitions: 12,
    retentionMs: 30 * DAY,
    describe: 'What was decided, in order within a stream. The value of a record is the frame clients get.',
  },
  replies: {
    name: 'chat.replies',
    key: 'gateway instance',
    producers: ['chat'],
    consumers: ['gateway'],
    partitions: 4,
    retentionMs: HOUR,
    describe: 'Outcomes that appended nothing: rejections, repetitions, changes already made.',
  },
  commandsDlq: {
    name: 'chat.commands.dlq',
    key: "the record's own",
    producers: ['chat'],
    consumers: [],
    partitions: 12,
    retentionMs: 30 * DAY,
    describe: 'Records of chat.commands that could not be decided, as they came, with the reason in headers.',
  },
  presenceSignals: {
    name: 'presence.signals',
    key: "one that leads to the users' partition",
    producers: ['gateway', 'presence'],
    consumers: ['presence'],
    partitions: 6,
    retentionMs: HOUR,
    describe: 'What gateways say about their sessions, in batches and beats, and the ticks of log time.',
  },
  presenceEvents: {
    name: 'presence.events',
    key: 'user',
    producers: ['presence'],
    consumers: ['gateway'],
    partitions: 6,
    retentionMs: HOUR,
    describe: 'Who is online, away, not to be disturbed or offline, and who is typing.',
  },
  presenceSeen: {
    name: 'presence.seen',
    key: 'user',
    producers: ['presence'],
    consumers: ['presence'],
    partitions: 6,
    retentionMs: 'compacted',
    describe: 'When somebody who is offline was last here, and whether they hide it.',
  },
  presenceAudiences: {
    name: 'presence.audiences',
    key: 'gateway instance',
    producers: ['gateway'],
    consumers: ['gateway'],
    partitions: 1,
    retentionMs: HOUR,
    describe: 'How many people each gateway has in the rooms that somebody looks at.',
  },
  presenceSignalsDlq: {
    name: 'presence.signals.dlq',
    key: "the record's own",
    producers: ['presence'],
    consumers: [],
    partitions: 6,
    retentionMs: 30 * DAY,
    describe: 'Records of presence.signals that could not be understood, with the reason in headers.',
  },
  eventsDlq: {
    name: 'chat.events.dlq',
    key: "the record's own",
    producers: ['lab'],
    consumers: [],
    partitions: 12,
    retentionMs: 30 * DAY,
    describe: 'Records of chat.events that the echo projection could not take, with the reason in headers.',
  },
  echoRetry1s: {
    name: 'lab.echo.retry.1s',
    key: "the record's own",
    producers: ['lab'],
    consumers: ['lab'],
    partitions: 3,
    retentionMs: DAY,
    describe: 'The first delay topic of the echo projection: its records are tried again after a second.',
  },
  echoRetry10s: {
    name: 'lab.echo.retry.10s',
    key: "the record's own",
    producers: ['lab'],
    consumers: ['lab'],
    partitions: 3,
    retentionMs: DAY,
    describe: 'The second, after ten seconds.',
  },
  echoRetry1m: {
    name: 'lab.echo.retry.1m',
    key: "the record's own",
    producers: ['lab'],
    consumers: ['lab'],
    partitions: 3,
    retentionMs: DAY,
    describe: 'The third, after a minute; then come the dead letters.',
  },
  attempts: {
    name: 'lab.attempts',
    key: "the record's own",
    producers: ['chat', 'presence', 'lab'],
    consumers: [],
    partitions: 6,
    retentionMs: 7 * DAY,
    describe: 'What goes wrong with records: each failure, wait, parking, redrive and dead letter.',
  },
  labFaults: {
    name: 'lab.faults',
    key: 'rule',
    producers: ['lab'],
    consumers: ['chat', 'gateway', 'presence'],
    partitions: 1,
    retentionMs: 'compacted',
    describe: 'What the laboratory orders to go wrong, and when it calls it off.',
  },
  labInstances: {
    name: 'lab.instances',
    key: 'instance',
    producers: ['chat', 'gateway', 'presence'],
    consumers: ['lab'],
    partitions: 1,
    retentionMs: HOUR,
    describe: 'Which instances there are, and which faults stand in each. Only where the laboratory is on.',
  },
} as const satisfies Record<string, Topic>

/** `<topic>.dlq`, where records of a topic go that their consumer cannot take. */
export const dlqOf = (topic: string): string => `${topic}.dlq`

/**
 * The partition of a key: murmur2 over its UTF-8 bytes, as Kafka's own clients compute it,
 * so that every tool agrees.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(new TextEncoder().encode(key)) & 0x7fffffff) % partitions
}

function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995
  const length = data.length
  let h = 0x9747b28c ^ length
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    let k = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24) | 0
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length & 3
  if (rest > 0) {
    if (rest === 3) h ^= data[whole + 2]! << 16
    if (rest >= 2) h ^= data[whole + 1]! << 8
    h ^= data[whole]!
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}
